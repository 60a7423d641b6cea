package command

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/spf13/cobra"

	"github.com/belfry-push/belfry/internal/cli/display"
	"github.com/belfry-push/belfry/internal/config"
)

// completionCmd prints a script. Script and protocol are Cobra's, which many
// programs use: the script asks the program itself, with a hidden command, what
// may stand at the cursor.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish,powershell" help:"bash, zsh, fish or powershell."`
}

// Help implements kong's HelpProvider.
func (completionCmd) Help() string {
	return `For this session, with PROGRAM in the place of the program's name:

    source <(PROGRAM completion bash)
    source <(PROGRAM completion zsh)
    PROGRAM completion fish | source
    PROGRAM completion powershell | Out-String | Invoke-Expression

For every session, put the script where the shell looks:

    PROGRAM completion bash > ~/.local/share/bash-completion/completions/PROGRAM
    PROGRAM completion zsh > "${fpath[1]}/_PROGRAM"
    PROGRAM completion fish > ~/.config/fish/completions/PROGRAM.fish`
}

// bashFallback defines what Cobra's script needs of the package bash-completion, for
// machines without it. Words are split at blanks alone, so that = stays in them.
const bashFallback = `
if ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        while [[ $1 == -* ]]; do shift; [[ $1 == = || $1 == =: ]] && shift; done
        cur=${COMP_WORDS[COMP_CWORD]}
        prev=${COMP_WORDS[COMP_CWORD-1]}
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
    }
fi
if ! declare -F __ltrim_colon_completions >/dev/null; then
    __ltrim_colon_completions() { :; }
fi
`

// Run prints the script.
func (c *completionCmd) Run(parser *config.Parser, con *display.Console) error {
	root := mirror(parser.Model())
	var script bytes.Buffer
	var err error
	switch c.Shell {
	case "bash":
		if err = root.GenBashCompletionV2(&script, true); err == nil {
			script.WriteString(bashFallback)
		}
	case "zsh":
		err = root.GenZshCompletion(&script)
	case "fish":
		err = root.GenFishCompletion(&script, true)
	case "powershell":
		err = root.GenPowerShellCompletionWithDesc(&script)
	}
	if err != nil {
		return fmt.Errorf("completion for %s: %w", c.Shell, err)
	}
	_, err = script.WriteTo(con.Out)
	return err
}

// completes reports whether a script asks.
func completes(word string) bool {
	return word == cobra.ShellCompRequestCmd || word == cobra.ShellCompNoDescRequestCmd
}

// complete answers a script.
func complete(app *kong.Application, args []string, con *display.Console) int {
	root := mirror(app)
	root.SetArgs(args)
	root.SetOut(con.Out)
	root.SetErr(io.Discard) // Cobra's remarks for those who mend scripts
	if root.Execute() != nil {
		return display.ExitFailure
	}
	return display.ExitOK
}

// mirror is the grammar as Cobra sees it: what completion needs, and nothing that
// could run.
func mirror(app *kong.Application) *cobra.Command {
	root := mirrorNode(app.Node)
	root.Use = app.Name
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Use: "no-help", Hidden: true})
	root.SilenceErrors, root.SilenceUsage = true, true
	return root
}

func mirrorNode(node *kong.Node) *cobra.Command {
	cmd := &cobra.Command{Use: node.Name, Short: node.Help, Hidden: node.Hidden, Aliases: node.Aliases, Run: func(*cobra.Command, []string) {}}
	for _, flag := range node.Flags {
		if flag.Name == "help" {
			continue // Cobra's own
		}
		mirrorFlag(cmd, flag)
	}
	cmd.ValidArgsFunction = func(_ *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return positional(node, len(given))
	}
	for _, child := range node.Children {
		cmd.AddCommand(mirrorNode(child))
	}
	return cmd
}

func mirrorFlag(cmd *cobra.Command, flag *kong.Flag) {
	short := ""
	if flag.Short != 0 {
		short = string(flag.Short)
	}
	flags := cmd.Flags()
	if flag.IsBool() {
		flags.BoolP(flag.Name, short, false, flag.Help)
		if flag.Tag.Negatable != "" {
			flags.Bool("no-"+flag.Name, false, flag.Help)
		}
	} else {
		flags.StringArrayP(flag.Name, short, nil, flag.Help)
		choices, directive := values(flag.Value, flag.PlaceHolder)
		_ = cmd.RegisterFlagCompletionFunc(flag.Name, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return choices, directive
		})
	}
	flags.Lookup(flag.Name).Hidden = flag.Hidden
}

// positional completes the argument that comes behind so many others.
func positional(node *kong.Node, given int) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(node.Positional) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	at := min(given, len(node.Positional)-1)
	arg := node.Positional[at]
	if given > at && !arg.IsCumulative() {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return values(arg, strings.ToUpper(arg.Name))
}

// values are what a flag or an argument may be: its choices, outcome codes and
// classes, files and directories.
func values(v *kong.Value, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	choices := v.EnumSlice()
	choices = slices.DeleteFunc(choices, func(s string) bool { return s == "" })
	if len(choices) == 0 {
		choices = wordsOf(v.Target.Type())
	}
	switch {
	case len(choices) > 0:
		return choices, cobra.ShellCompDirectiveNoFileComp
	case word == "FILE":
		return nil, cobra.ShellCompDirectiveDefault
	case word == "DIR":
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
