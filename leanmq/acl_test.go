package leanmq_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
)

// A user without dangerous commands is common, and CLIENT UNBLOCK is one: what it would
// end must not block for long, or every new queue waits, and asks again and again.
func TestUserWhoMayNotUnblock(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	admin := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = admin.Close() })
	rules := []any{"ACL", "SETUSER", "app", "on", ">pw", "~leanmq:*", "&leanmq:*", "+@all", "-@dangerous", "-@admin"}
	if err := admin.Do(t.Context(), rules...).Err(); err != nil {
		t.Fatal(err)
	}
	mq := open(t, "redis://app:pw@"+server.Addr())
	const queues = 20
	var got record
	for i := range queues {
		q := mq.Queue("jobs-" + strconv.Itoa(i))
		consume(t, q, got.done)
		send(t, q, "x")
		got.wait(t, i+1)
	}
	info, err := admin.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(info) {
		name, stats, _ := strings.Cut(line, ":")
		_, after, _ := strings.Cut(stats, "rejected_calls=")
		n, _, _ := strings.Cut(after, ",")
		var rejected int
		if _, err := fmt.Sscan(n, &rejected); err == nil && rejected >= queues {
			t.Errorf("%s was refused %d times", name, rejected)
		}
	}
}
