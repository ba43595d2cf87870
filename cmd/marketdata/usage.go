package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is the number of columns that no line of a help exceeds, as wide as the narrowest terminal in use.
const helpWidth = 80

// fitHelp sets the usage of all commands to that of cobra with flags that are wrapped to helpWidth columns. It replaces
// the help of cobra's completion command, which is wider.
func fitHelp(root *cobra.Command) {
	wrapped := func(flags string) string { return fmt.Sprintf("%s.FlagUsagesWrapped %d ", flags, helpWidth) }
	root.SetUsageTemplate(strings.NewReplacer(
		".LocalFlags.FlagUsages ", wrapped(".LocalFlags"),
		".InheritedFlags.FlagUsages ", wrapped(".InheritedFlags"),
		"for more information about a command", "for the help of a command",
	).Replace(root.UsageTemplate()))

	root.InitDefaultCompletionCmd()
	completion, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}

	for _, shell := range completion.Commands() {
		shell.Long = completionHelp[shell.Name()]
	}
}

// completionHelp explains for each shell how to load its completions.
var completionHelp = map[string]string{
	"bash": `Generate the completion script for bash. It needs the package bash-completion.

For the current shell:
  source <(marketdata completion bash)
For every new shell, on Linux:
  marketdata completion bash > /etc/bash_completion.d/marketdata
and on macOS with Homebrew:
  marketdata completion bash > \
    $(brew --prefix)/etc/bash_completion.d/marketdata`,
	"zsh": `Generate the completion script for zsh. If completion is not enabled yet, do
that once:
  echo "autoload -U compinit; compinit" >> ~/.zshrc

For the current shell:
  source <(marketdata completion zsh)
For every new shell:
  marketdata completion zsh > "${fpath[1]}/_marketdata"`,
	"fish": `Generate the completion script for fish.

For the current shell:
  marketdata completion fish | source
For every new shell:
  marketdata completion fish > ~/.config/fish/completions/marketdata.fish`,
	"powershell": `Generate the completion script for PowerShell.

For the current shell:
  marketdata completion powershell | Out-String | Invoke-Expression
For every new shell, add that line to the profile of PowerShell.`,
}
