package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"croft"
)

// completionVerb prints what makes a shell complete commands: cobra writes it.
func (c *cli) completionVerb() *cobra.Command {
	var cmd *cobra.Command
	cmd = c.verb("completion", "completion bash|zsh|fish|powershell", cobra.ExactArgs(1), func(_ context.Context, args []string) error {
		switch root := cmd.Root(); args[0] {
		case "bash":
			return root.GenBashCompletionV2(c.out, true)
		case "zsh":
			return root.GenZshCompletion(c.out)
		case "fish":
			return root.GenFishCompletion(c.out, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(c.out)
		}
		return croft.E(croft.ErrUsage, say("completion.shell", fmt.Sprintf("%.40q", args[0])), say("completion.shell.fix"))
	})
	return cmd
}
