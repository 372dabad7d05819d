package main

import (
	"fmt"
	"strings"
)

// help is the text for a command, or for all of them.
func help(cmd *command) string {
	var b strings.Builder
	if cmd != nil {
		fmt.Fprintf(&b, "usage: %s\n\n%s", strings.TrimSpace("dlqctl "+cmd.name+" "+cmd.args), cmd.long)
		b.WriteString(commonHelp)
		return b.String()
	}
	b.WriteString("dlqctl shows the dead letters of LeanMQ queues, requeues and purges them. It also\n" +
		"shows what is in flight, pauses queues, cancels messages and rewinds groups of topics.\n\n" +
		"usage: dlqctl COMMAND [ARGUMENTS] [FLAGS], flags anywhere\n\n")
	for _, cmd := range commands {
		fmt.Fprintf(&b, "  %-40s%s\n", cmd.name+" "+cmd.args, cmd.short)
	}
	b.WriteString("\ndlqctl COMMAND -h says more about a command.\n")
	b.WriteString(commonHelp)
	return b.String()
}

// The URL's default is named, not shown: it may hold a password.
const commonHelp = `
flags of every command:
  --redis URL      redis://user:password@host:6379/0, rediss://…, unix:///path,
                   redis+cluster://host:6379?addr=host2:6379,
                   redis+sentinel://host:26379?master_name=mymaster;
                   default: $` + envRedis + `, or else ` + defaultRedis + `
  --prefix NAME    what the keys begin with; default: ` + defaultPrefix + `
  --json           one JSON object a line
  --timeout TIME   how long Redis may take in all; default: 10s
  --               ends the flags, for names that begin with a dash

exit codes: 0 all done, 1 not or not all done, 2 called wrongly, nothing done
`
