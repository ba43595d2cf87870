package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// newRoot returns the root command with the commands that cobra adds when it runs.
func newRoot() *cobra.Command {
	c := &command{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}}
	root := c.rootCommand()
	root.InitDefaultHelpCmd()

	return root
}

// walkCommands calls visit with each command below and including cmd.
func walkCommands(cmd *cobra.Command, visit func(*cobra.Command)) {
	cmd.InitDefaultHelpFlag()
	visit(cmd)
	for _, sub := range cmd.Commands() {
		walkCommands(sub, visit)
	}
}

func TestHelpFitsEightyColumns(t *testing.T) {
	t.Parallel()
	commands := 0
	walkCommands(newRoot(), func(cmd *cobra.Command) {
		commands++
		var help bytes.Buffer
		cmd.SetOut(&help)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(help.String()) {
			line = strings.TrimRight(line, "\n")
			if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "        ")); n > helpWidth {
				t.Errorf("%s --help: a line of %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
	})
	if commands < 20 {
		t.Errorf("%d commands; want all", commands)
	}
}
