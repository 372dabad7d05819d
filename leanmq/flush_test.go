package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestFlushedQueueIsConsumedAgain(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var log testkit.Log
		mq := open(t, url, leanmq.Logger(zerolog.New(&log)))
		q := mq.Queue("jobs")
		var got record
		for i := range 3 {
			consume(t, mq.Queue(fmt.Sprint("idle", i)), new(record).done)
		}
		consume(t, q, got.done)
		sender := open(t, url).Queue("jobs")
		raw := rawClient(t, url)
		for round := range 3 {
			send(t, sender, fmt.Sprint(round))
			if m := got.wait(t, round+1)[round]; m.Payload != fmt.Sprint(round) {
				t.Errorf("%+v", m)
			}
			becomesEmpty(t, q)
			if err := raw.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		// Sent into the emptied server before the consumer has noticed, or after:
		// the group starts at the beginning.
		send(t, sender, "last", leanmq.Delay(time.Millisecond))
		if m := got.wait(t, 4)[3]; m.Payload != "last" {
			t.Errorf("%+v", m)
		}
		outageLog(t, log.String(), 3)
		eventually(t, "the queue is listed again", func() bool {
			qs, err := mq.Queues(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range qs {
				if i.Name == "jobs" {
					return true
				}
			}
			return false
		})
	})
}

func TestHandlerThatRunsDuringAFlushHarmsNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		running, finish := make(chan struct{}, 10), make(chan struct{})
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if string(m.Payload) != "last" {
				running <- struct{}{}
				<-finish
			}
			got.add(m)
			if string(m.Payload) == "fails" {
				return errors.New("boom")
			}
			return nil
		}, quick)
		send(t, q, "succeeds")
		send(t, q, "fails")
		receive(t, "the first handler runs", running)
		receive(t, "the second handler runs", running)
		if err := rawClient(t, url).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		close(finish)
		got.wait(t, 2)
		send(t, q, "last")
		got.wait(t, 3)
		becomesEmpty(t, q)
		if n := got.count(); n != 3 {
			t.Errorf("handled %d times: %q", n, got.payloads())
		}
	})
}
