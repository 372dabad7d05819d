package leanmq_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// calls is how often a server has run each command. What nodes say to each other
// does not count.
func calls(t testing.TB, c redis.UniversalClient) map[string]float64 {
	t.Helper()
	n := map[string]float64{}
	for line := range strings.Lines(infoText(t, c, "commandstats")) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		if !ok {
			continue
		}
		switch name {
		case "info", "replconf", "ping", "psync", "publish", "config|resetstat":
			continue
		}
		number, _, _ := strings.Cut(rest, ",")
		n[name] = float64(atoi(t, number))
	}
	return n
}

func sum(n map[string]float64) (all float64) {
	for _, one := range n {
		all += one
	}
	return all
}

// The load of a partitioned queue is spread evenly over the masters of a cluster,
// and a message costs no more than on one server.
func TestPartitionsSpreadTheLoad(t *testing.T) {
	t.Parallel()
	const n, messages = 6, 6000
	run := func(url string, nodes []redis.UniversalClient) (each []map[string]float64) {
		q := open(t, url).Partitioned("jobs", n)
		var r record
		h := func(ctx context.Context, m *leanmq.Message) error {
			time.Sleep(time.Millisecond)
			return r.done(ctx, m)
		}
		a := consumePartitions(t, q, h)
		b := consumePartitions(t, open(t, url).Partitioned("jobs", n), h)
		if _, err := q.SendMany(t.Context(), numbers(n)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is consumed by one each", func() bool {
			consumers := int64(0)
			for _, p := range partitions(t, q).Partitions {
				consumers += p.Consumers
			}
			return consumers == n && len(partitions(t, q).Members) == 2
		})
		r.wait(t, n)
		for _, c := range nodes {
			if err := c.ConfigResetStat(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for range messages / 50 {
			if _, err := q.SendMany(t.Context(), numbers(50)); err != nil {
				t.Fatal(err)
			}
		}
		within(t, time.Minute, "all are handled", func() bool { return r.count() == n+messages })
		for _, c := range []*testkit.Running{a, b} {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		}
		for _, c := range nodes {
			each = append(each, calls(t, c))
		}
		return each
	}

	cluster := redistest.Cluster(t)
	var masters []redis.UniversalClient
	for _, node := range cluster.Nodes()[:3] {
		masters = append(masters, rawClient(t, node.URL()))
	}
	each := run(cluster.URL(), masters)
	server := redistest.Server(t)
	alone := run(server.URL(), []redis.UniversalClient{rawClient(t, server.URL())})[0]

	total := 0.0
	for _, one := range each {
		total += sum(one)
	}
	for i, one := range each {
		if one["xadd"] != messages/3 {
			t.Errorf("master %d got %v of %d messages", i, one["xadd"], messages)
		}
		// How many messages go together depends on how busy the machine is.
		if share := sum(one) / total * 3; math.Abs(share-1) > 0.5 {
			t.Errorf("master %d ran %.0f commands, %.2f of its share: %v", i, sum(one), share, one)
		}
	}
	if alone["xadd"] != messages {
		t.Errorf("one server got %v of %d messages", alone["xadd"], messages)
	}
	t.Logf("commands a message: %.2f on a cluster, %.2f on one server", total/messages, sum(alone)/messages)
	t.Logf("the masters' shares: %.0f, %.0f, %.0f commands", sum(each[0]), sum(each[1]), sum(each[2]))
	t.Logf("one server: %v", alone)
	t.Logf("a master: %v", each[0])
}
