package store_test

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// Settling what stands in a topic twice, as after a lost reply or a transaction whose
// outcome was unknown, moves it once: the entry stays in the topic, so that it does not
// tell, and the epoch does not either.
func TestSettlingOfATopicTwiceHasOneEffect(t *testing.T) {
	ways := map[string]func(entry, epoch string) store.Settlement{
		"retry": func(entry, epoch string) store.Settlement {
			return store.Settlement{Retries: []store.Retry{{ID: entry, Epoch: epoch, Attempts: 1}}}
		},
		"dead": func(entry, epoch string) store.Settlement {
			return store.Settlement{Dead: []store.Dead{{ID: entry, Epoch: epoch, Reason: "rejected", Attempts: 1}}}
		},
	}
	for name, settlement := range ways {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				s := open(t, url)
				topic, err := s.Topic("prices")
				if err != nil {
					t.Fatal(err)
				}
				group, err := topic.Group("books")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := group.Subscribe(t.Context(), "0-0", nil); err != nil {
					t.Fatal(err)
				}
				send(t, topic.Sends, "again", "done before")
				from := group.OfTopic()
				w := join(t, s, from, "w")
				got, err := rawClient(t, url).XReadGroup(t.Context(), &redis.XReadGroupArgs{
					Group: from.Group, Consumer: "w", Streams: []string{from.Stream, ">"}, Block: -1,
				}).Result()
				if err != nil || len(got) != 1 || len(got[0].Messages) != 2 {
					t.Fatalf("%v, %v", got, err)
				}
				entries := []string{got[0].Messages[0].ID, got[0].Messages[1].ID}

				w.settle(settlement(entries[0], w.epoch))
				w.settle(settlement(entries[0], w.epoch))
				w.done(entries[1])
				w.settle(settlement(entries[1], w.epoch))
				if i := info(t, group); i.InFlight != 0 || i.Scheduled+i.Dead != 1 {
					t.Errorf("%+v", i)
				}
			})
		})
	}
}
