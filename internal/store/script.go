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
	name string
	src  string
	sha  any // a string, boxed once
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

	subscribeScript   = newScript("subscribe")
	seekScript        = newScript("seek")
	topicScript       = newScript("topic")
	countScript       = newScript("count")
	trimScript        = newScript("trim")
	deleteTopicScript = newScript("delete_topic")

	cancelScript = newScript("cancel")
	lapseScript  = newScript("lapse")
	removeScript = newScript("remove")
	routesScript = newScript("publish_routes")

	tickScript            = newScript("tick")
	setPeriodicScript     = newScript("set_periodic")
	pausePeriodicScript   = newScript("pause_periodic")
	removePeriodicScript  = newScript("remove_periodic")
	periodicsScript       = newScript("periodics")
	cancelScheduledScript = newScript("cancel_scheduled")
	rescheduleScript      = newScript("reschedule")
	scheduleManyScript    = newScript("schedule_many")

	appendEventsScript     = newScript("append_events")
	seekEventScript        = newScript("seek_event")
	saveSnapshotScript     = newScript("save_snapshot")
	leadProjectionScript   = newScript("lead_projection")
	holdProjectionScript   = newScript("hold_projection")
	commitProjectionScript = newScript("commit_projection")
	resetProjectionScript  = newScript("reset_projection")

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

func newScript(name string) *script { return newScriptOf(name, readScript(name)) }

func newScriptOf(name, src string) *script {
	src = dropGuard + lib.with(src)
	sum := sha1.Sum([]byte(src))
	s := &script{name: name, src: src, sha: hex.EncodeToString(sum[:])}
	allScripts = append(allScripts, s)
	return s
}

// dropGuard begins every script: it takes the guard from its KEYS.
const dropGuard = "KEYS[#KEYS] = nil\n"

// guard is the last key of every call. It never exists, so that a server from which
// the slot is just moving away, or where it is not complete yet, refuses the call
// before it begins. Otherwise the script would fail in the middle, at the first key
// that it has not named and that is elsewhere, and Redis does not roll back.
func guard(key string) string {
	if i := strings.IndexByte(key, '}'); i >= 0 && i+1 < len(key) {
		return key[:i+2] // a queue's key without the queue
	}
	return key
}

// cmd builds the call. It runs by hash; flush.go loads the scripts where the
// server does not know them (restarted, failed over, or never seen).
func (s *script) cmd(ctx context.Context, keys []string, args ...any) *redis.Cmd {
	all := make([]any, 0, 4+len(keys)+len(args))
	all = append(all, "EVALSHA", s.sha, len(keys)+1)
	for _, k := range keys {
		all = append(all, k)
	}
	all = append(all, guard(keys[0]))
	return redis.NewCmd(ctx, append(all, args...)...)
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

// loadScripts makes the scripts known to a server.
func loadScripts(ctx context.Context, rdb *redis.Client) error {
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, s := range allScripts {
			p.ScriptLoad(ctx, s.src)
		}
		return nil
	})
	return err
}
