package main

import (
	"context"
	"fmt"

	"croft"
)

// completionVerb prints what makes a shell complete commands: cobra writes it.
func (c *cli) completionVerb() *verb {
	var cmd *verb
	cmd = c.verb("completion", "completion bash|zsh|fish|powershell", one(func(_ context.Context, shell string) error {
		switch root := cmd.Root(); shell {
		case "bash":
			return root.GenBashCompletionV2(c.out, true)
		case "zsh":
			return root.GenZshCompletion(c.out)
		case "fish":
			return root.GenFishCompletion(c.out, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(c.out)
		}
		return croft.E(croft.ErrUsage, say("completion.shell", fmt.Sprintf("%.40q", shell)), say("completion.shell.fix"))
	}))
	return cmd
}
