package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/app"
)

// wordsKey is the annotation of a flag with the words that it takes.
const wordsKey = "marketdata_words"

// setWords says that a flag takes one of the words, or several where its value is a list.
func setWords(flags *pflag.FlagSet, name string, words ...string) {
	f := flags.Lookup(name)
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[wordsKey] = words
}

// zones are the time zones of the largest markets. An IANA name beside them is taken, too.
var zones = []string{
	"UTC", "America/New_York", "America/Chicago", "America/Toronto", "America/Sao_Paulo", "Europe/London", "Europe/Berlin",
	"Europe/Paris", "Europe/Amsterdam", "Europe/Zurich", "Asia/Tokyo", "Asia/Hong_Kong", "Asia/Shanghai", "Asia/Singapore",
	"Asia/Kolkata", "Asia/Seoul", "Australia/Sydney",
}

// orList is "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// completeFlags lets a shell complete the values of all flags of the command and of those below it: words, symbols and
// frequencies of the database, files and folders, and nothing for a number or a time.
func (c *command) completeFlags(cmd *cobra.Command) {
	complete := func(f *pflag.Flag) {
		if f.Value.Type() != "bool" && f.Name != "help" {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, c.flagCompletion(f)) // cmd has the flag, so it is no error
		}
	}
	cmd.LocalNonPersistentFlags().VisitAll(complete)
	cmd.PersistentFlags().VisitAll(complete)
	for _, sub := range cmd.Commands() {
		c.completeFlags(sub)
	}
}

// flagCompletion returns the completion of a flag's value.
func (c *command) flagCompletion(f *pflag.Flag) cobra.CompletionFunc {
	words := f.Annotations[wordsKey]
	valueName, _ := pflag.UnquoteUsage(f)
	_, isList := f.Value.(pflag.SliceValue)

	return func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		before := ""
		if isList {
			before = prefix[:strings.LastIndexByte(prefix, ',')+1]
		}

		found, directive := words, cobra.ShellCompDirectiveNoFileComp
		switch {
		case words != nil:
			if strings.HasSuffix(words[0], "=") {
				directive |= cobra.ShellCompDirectiveNoSpace
			}
		case valueName == "file":
			return nil, cobra.ShellCompDirectiveDefault
		case valueName == "directory":
			return nil, cobra.ShellCompDirectiveFilterDirs
		case valueName == "zone":
			found = zones
		case valueName == "symbol":
			found, directive = c.completeSymbols(cmd, nil, prefix)
		case strings.HasPrefix(valueName, "frequenc"):
			found, directive = c.complete(cmd, func(ctx context.Context, md *app.Service) ([]string, error) {
				return findFrequencies(ctx, md, []string{"*"})
			})
		}

		var completions []string
		for _, word := range found {
			if strings.HasPrefix(before+word, prefix) {
				completions = append(completions, before+word)
			}
		}

		return completions, directive
	}
}
