package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// A slot that is on its way is in two places. A script must not begin where it
// cannot end: here it would find the dead message's stream, and in the middle of it
// not the key of its progress.
func TestScriptDoesNotBeginWhileItsSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	s := open(t, cluster.URL())
	q := queue(t, s, "jobs")
	w := join(t, s, q, "w")
	send(t, q, "x")
	id := w.mustRead(1)[0]
	// So that none of the keys that are named is missing.
	c := rawClient(t, cluster.URL())
	for _, key := range []string{q.Order, q.Unique, q.Meta} {
		c.HSet(t.Context(), key, "there", "0")
	}
	c.XAdd(t.Context(), &redis.XAddArgs{Stream: q.QueueKeys.Dead, Values: []string{"p", "dead"}})

	dead := store.Settlement{Dead: []store.Dead{{ID: id, Epoch: w.epoch, Reason: "rejected", Attempts: 1}}}
	tries := 0
	cluster.Move(q.Stream, func() {
		if tries++; tries > 3 {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := q.Settle(ctx, "w", &dead); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while the slot moves: %v", err)
		}
	})
	if n := c.XLen(t.Context(), q.QueueKeys.Dead).Val(); n != 1 {
		t.Errorf("%d dead letters: the script was begun", n)
	}
	if out := w.settle(dead); len(out.Lost) > 0 {
		t.Errorf("%+v", out)
	}
	if i := info(t, q); i.Dead != 2 || i.InFlight != 0 {
		t.Errorf("%+v", i)
	}
}

// One that is sent meanwhile waits, and is sent once.
func TestSendsGoOnWhileTheSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	q := queue(t, open(t, cluster.URL()), "jobs")
	stale := queue(t, open(t, cluster.URL()), "jobs")
	send(t, stale, "a")
	cluster.Move(q.Stream, func() { send(t, q, "b", "c") })
	send(t, stale, "d") // MOVED
	if es := waiting(t, queue(t, open(t, cluster.URL()), "jobs")); len(es) != 6 {
		t.Errorf("%v", payloads(es))
	}
	if es := waiting(t, q); len(es) != 6 { // a raw reply
		t.Errorf("%v", payloads(es))
	}
	for _, q := range []*store.Queue{q, stale} { // scripts
		for _, r := range q.SendIf(t.Context(), []store.Envelope{{}}, store.SendTerms{Limit: 1000}) {
			if r.Err != nil {
				t.Error(r.Err)
			}
		}
	}
}

// A cluster costs no more commands than one server.
func TestCommandsOnAClusterAreThoseOfOneServer(t *testing.T) {
	t.Parallel()
	run := func(url string, servers ...*redistest.RedisServer) map[string]int {
		s := open(t, url)
		var queues []*store.Queue
		for i := range 6 {
			queues = append(queues, queue(t, s, fmt.Sprint("jobs", i)))
		}
		for _, server := range servers {
			rawClient(t, server.URL()).ConfigResetStat(t.Context())
		}
		for _, q := range queues {
			w := join(t, s, q, "w")
			send(t, q, "a", "b")
			q.SendIf(t.Context(), []store.Envelope{{}}, store.SendTerms{Limit: 100})
			w.done(w.mustRead(3)...)
			if _, err := s.Promote(t.Context(), queues[:1], 10); err != nil {
				t.Error(err)
			}
		}
		calls := map[string]int{}
		for _, server := range servers {
			stats := rawClient(t, server.URL()).Info(t.Context(), "commandstats").Val()
			for line := range strings.Lines(stats) {
				var n int
				name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
				if _, err := fmt.Sscanf(rest, "calls=%d,", &n); err == nil {
					calls[name] += n
				}
			}
		}
		for name := range calls { // of connections, scripts that a server has to learn, and replication
			switch name {
			case "xadd", "xreadgroup", "xack", "xdel", "sadd", "hget", "zrange":
			default:
				delete(calls, name)
			}
		}
		return calls
	}
	one, cluster := redistest.Server(t), redistest.Cluster(t)
	want, got := run(one.URL(), one), run(cluster.URL(), cluster.Nodes()[:3]...)
	if len(want) < 6 || !maps.Equal(want, got) {
		t.Errorf("one server: %v\ncluster:    %v", want, got)
	}
}

func TestURLOfAnotherKindOfServer(t *testing.T) {
	t.Parallel()
	one, cluster, sentinel := redistest.Server(t), redistest.Cluster(t), redistest.Sentinel(t)
	for url, want := range map[string]string{
		"redis+cluster://" + one.Addr():                         "write redis://",
		cluster.Nodes()[0].URL():                                "write redis+cluster://",
		cluster.Nodes()[5].URL():                                "write redis+cluster://",
		strings.Replace(sentinel.URL(), "mymaster", "yours", 1): `no master called "yours"`,
		"redis+sentinel://" + one.Addr() + "?master_name=m":     one.Addr() + " is no sentinel: for a server itself write redis://",
	} {
		if _, err := store.Open(t.Context(), url, "leanmq"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}

func TestBadURLsOfSeveralServers(t *testing.T) {
	for url, want := range map[string]string{
		"redis+cluster://a:1?addr=b":                           "one of its addr is not host:port",
		"redis+cluster://a:1/3":                                "database 0 only",
		"redis+cluster://:secret@a:1?nonsense=1":               "an option that is unknown",
		"redis+sentinel://a:1":                                 "which master the sentinels watch",
		"redis+sentinel://:secret@a:1?master_name=m&db=x":      "malformed",
		"redis+sentinel://a:1?master_name=m&replica_only=true": "leave out replica_only",
		"redis+sentinel://a:1/x?master_name=m":                 "no database number",
		"redis+nonsense://a:1":                                 "redis+cluster, rediss+cluster, redis+sentinel",
	} {
		var bad *store.URLError
		_, err := store.Open(t.Context(), url, "leanmq")
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}

// A send that came to a server which is no master any more is written at the new one,
// and counts the replicas of that: what the old one says of its own means nothing.
func TestReplicasAreThoseOfTheNewMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	q := queue(t, open(t, cluster.URL()), "jobs")
	wait := store.SendTerms{Wait: store.Wait{Replicas: 1, Timeout: 20 * time.Second}}
	check := func(when string) {
		t.Helper()
		if r := q.SendIf(t.Context(), []store.Envelope{{}}, wait)[0]; r.Err != nil || r.ID == "" {
			t.Errorf("%s: %+v", when, r)
		}
	}
	check("before")
	cluster.Failover(q.Base)
	check("after")
}
