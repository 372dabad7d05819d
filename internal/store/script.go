package store

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// script is one atomic move. Its contract is the header of its file.
type script struct {
	src string
	sha any // a string, boxed once
}

var (
	lib = newLibrary(readScript("lib"))

	sendScript    = newScript("send")
	dedupeScript  = newScript("dedupe")
	onceScript    = newScript("once")
	joinScript    = newScript("join")
	doneScript    = newScript("done")
	finishScript  = newScript("finish")
	retryScript   = newScript("retry")
	deadScript    = newScript("dead")
	renewScript   = newScript("renew")
	reclaimScript = newScript("reclaim")
	releaseScript = newScript("release")
	reapScript    = newScript("reap")
	promoteScript = newScript("promote")
	requeueScript = newScript("requeue")
	deleteScript  = newScript("delete")
	controlScript = newScript("control")
	takeScript    = newScript("take")
	cancelScript  = newScript("cancel")
	lapseScript   = newScript("lapse")
	removeScript  = newScript("remove")
	routesScript  = newScript("publish_routes")

	tickScript            = newScript("tick")
	setPeriodicScript     = newScript("set_periodic")
	pausePeriodicScript   = newScript("pause_periodic")
	removePeriodicScript  = newScript("remove_periodic")
	periodicsScript       = newScript("periodics")
	cancelScheduledScript = newScript("cancel_scheduled")
	rescheduleScript      = newScript("reschedule")
	scheduleManyScript    = newScript("schedule_many")

	beatScript  = newScript("beat")
	leaveScript = newScript("leave")

	allScripts []*script
)

func readScript(name string) string {
	src, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // embedded: only a wrong name in this file gets here
	}
	return string(src)
}

func newScript(name string) *script {
	src := lib.with(readScript(name))
	sum := sha1.Sum([]byte(src))
	s := &script{src: src, sha: hex.EncodeToString(sum[:])}
	allScripts = append(allScripts, s)
	return s
}

// cmd builds the call. It runs by hash; pipe.go loads the scripts where the
// server does not know them (restarted, failed over, or never seen).
func (s *script) cmd(ctx context.Context, keys []string, args ...any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "EVALSHA", s.sha, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	if len(keys) > 0 {
		cmd.SetFirstKeyPos(3)
	}
	return cmd
}

// withSource makes a call carry the script itself, so that the calls behind it
// in the same batch find it loaded: where their order counts, none of them may
// have to be repeated.
func (s *script) withSource(cmd *redis.Cmd) *redis.Cmd {
	args := cmd.Args()
	args[0], args[1] = "EVAL", s.src
	return cmd
}

// scriptOf returns the script that a call runs by hash, or nil.
func scriptOf(cmd redis.Cmder) *script {
	if len(cmd.Args()) < 2 || cmd.Args()[0] != "EVALSHA" {
		return nil
	}
	for _, s := range allScripts {
		if s.sha == cmd.Args()[1] {
			return s
		}
	}
	return nil
}

func isNoScript(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT")
}

// loadScripts makes the scripts known to every master.
func loadScripts(ctx context.Context, rdb redis.UniversalClient) error {
	load := func(ctx context.Context, c redis.Cmdable) error {
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, s := range allScripts {
				p.ScriptLoad(ctx, s.src)
			}
			return nil
		})
		return err
	}
	if cluster, ok := rdb.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			return load(ctx, c)
		})
	}
	return load(ctx, rdb)
}
