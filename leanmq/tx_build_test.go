package leanmq_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// What cannot be in a transaction is refused before anything is sent, by an error that
// names it, even if the function does not look at it.
func TestTxRefusesWhatCannotBeInIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, other, raw := open(t, url), open(t, url), rawClient(t, url)
		q := mq.Queue("q")
		send(t, q, "m")
		send(t, other.Queue("theirs"), "theirs")
		mine := received(t, q, 1)
		theirs := received(t, other.Queue("theirs"), 1)
		before := contents(t, raw)
		large := make([]byte, leanmq.MaxPayload-100)
		text := string(large)
		for name, tt := range map[string]struct {
			field, says string
			add         func(tx *leanmq.Tx)
		}{
			"no topic":           {"topic", "nil", func(tx *leanmq.Tx) { tx.Publish(nil, nil) }},
			"no topic for many":  {"topic", "nil", func(tx *leanmq.Tx) { tx.PublishMany(nil, [][]byte{nil}, leanmq.Type("x")) }},
			"another's topic":    {"topic", "another client", func(tx *leanmq.Tx) { tx.Publish(other.Topic("t"), nil) }},
			"name of a topic":    {"topic name", "{", func(tx *leanmq.Tx) { tx.Publish(mq.Topic("{"), nil) }},
			"delay of a topic's": {"Delay", "not for topics", func(tx *leanmq.Tx) { tx.Publish(mq.Topic("t"), nil, leanmq.Delay(1)) }},
			"unique in a topic":  {"Unique", "not for topics", func(tx *leanmq.Tx) { tx.PublishMany(mq.Topic("t"), [][]byte{nil}, leanmq.UniquePayload()) }},
			"many in a topic":    {"ID", "one message", func(tx *leanmq.Tx) { tx.PublishMany(mq.Topic("t"), [][]byte{nil, nil}, leanmq.ID("x")) }},
			"new in a topic":     {"MustBeNew", "ID", func(tx *leanmq.Tx) { tx.Publish(mq.Topic("t"), nil).MustBeNew() }},
			"replicas":           {"Replicas", "transactions", func(tx *leanmq.Tx) { tx.Send(q, nil, leanmq.Replicas(1, time.Second)) }},
			"nothing":            {"Tx", "empty", func(*leanmq.Tx) {}},
			"no queue":           {"queue", "nil", func(tx *leanmq.Tx) { tx.Send(nil, nil) }},
			"another's queue":    {"queue", "another client", func(tx *leanmq.Tx) { tx.Send(other.Queue("q"), nil) }},
			"name of a queue":    {"queue name", "{", func(tx *leanmq.Tx) { tx.Send(mq.Queue("{"), nil) }},
			"option":             {"TTL", "1ms", func(tx *leanmq.Tx) { tx.Send(q, nil, leanmq.TTL(-1)) }},
			"payload":            {"payload", "bytes", func(tx *leanmq.Tx) { tx.Send(mq.Queue("q", leanmq.MaxPayloadBytes(1)), []byte("xx")) }},
			"many with one id":   {"ID", "one message", func(tx *leanmq.Tx) { tx.SendMany(q, [][]byte{nil, nil}, leanmq.ID("x")) }},
			"new without id":     {"MustBeNew", "ID", func(tx *leanmq.Tx) { tx.Send(q, nil).MustBeNew() }},
			"no message":         {"message", "nil", func(tx *leanmq.Tx) { _ = tx.Done(nil) }},
			"a message of none":  {"message", "not being handled", func(tx *leanmq.Tx) { _ = tx.Done(&leanmq.Message{}) }},
			"another's message":  {"message", "another client", func(tx *leanmq.Tx) { _ = tx.Done(theirs[0].Message) }},
			"settled twice":      {"message", "twice", func(tx *leanmq.Tx) { _, _ = tx.Done(mine[0].Message), tx.Retry(mine[0].Message, nil) }},
			"letter":             {"letter", "17", func(tx *leanmq.Tx) { _ = tx.Requeue(q, "x") }},
			"letter twice":       {"letter", "twice", func(tx *leanmq.Tx) { _, _ = tx.Requeue(q, "1-1"), tx.Requeue(q, "1-1") }},
			"too many":           {"Tx", "1000", func(tx *leanmq.Tx) { tx.SendMany(q, make([][]byte, 1001)) }},
			"too large":          {"Tx", "bytes", func(tx *leanmq.Tx) { tx.SendMany(q, slices.Repeat([][]byte{large}, 40)) }},
			"large commands": {"Tx", "bytes", func(tx *leanmq.Tx) {
				for range 40 {
					tx.Do("SET", "k", text)
				}
			}},
			"no command":         {"Do", "no command", func(tx *leanmq.Tx) { tx.Do() }},
			"blocking":           {"Do", `"BLPOP"`, func(tx *leanmq.Tx) { tx.Do("blpop", "k", 0) }},
			"MULTI":              {"Do", `"MULTI"`, func(tx *leanmq.Tx) { tx.Do("MULTI") }},
			"script":             {"Do", `"EVAL"`, func(tx *leanmq.Tx) { tx.Do("EVAL", "return 1", 0) }},
			"publish":            {"Do", `"PUBLISH"`, func(tx *leanmq.Tx) { tx.Do("PUBLISH", "c", "m") }},
			"key of a queue":     {"Do", "LeanMQ's own", func(tx *leanmq.Tx) { tx.Do("DEL", "k", "leanmq:{q}:q") }},
			"argument":           {"Do", "time.Duration", func(tx *leanmq.Tx) { tx.Do("SET", "k", time.Second) }},
			"arguments missing":  {"Do", "lacks", func(tx *leanmq.Tx) { tx.Do("GET") }},
			"the first of these": {"Do", `"EVAL"`, func(tx *leanmq.Tx) { tx.Do("EVAL"); tx.Send(nil, nil) }},
		} {
			err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
				if name != "nothing" {
					tx.Send(q, []byte("of a refused transaction"))
				}
				tt.add(tx)
				return nil
			})
			isInvalid(t, err, tt.field)
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v does not say %q", name, err, tt.says)
			}
		}
		isInvalid(t, mq.Tx(t.Context(), nil), "function")
		if after := contents(t, raw); after != before {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
	})
}

func TestTxIsOverWithItsFunction(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("q")
		send(t, q, "m")
		ms := received(t, q, 1)
		var kept *leanmq.Tx
		if err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error { kept = tx; tx.Send(q, nil); return nil }); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"Send": kept.Send(q, nil).Err(), "Publish": kept.Publish(mq.Topic("t"), nil).Err(), "Do": kept.Do("GET", "k").Err(), "Done": kept.Done(ms[0].Message),
			"Retry": kept.Retry(ms[0].Message, nil), "Requeue": kept.Requeue(q, "1-1"),
		} {
			if !errors.Is(err, leanmq.ErrTxOver) {
				t.Errorf("%s: %v", name, err)
			}
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = mq.Tx(t.Context(), func(tx *leanmq.Tx) error { kept = tx; tx.Send(q, nil); panic("x") })
		}()
		if err := kept.Send(q, nil).Err(); !errors.Is(err, leanmq.ErrTxOver) {
			t.Errorf("after a panic: %v", err)
		}
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(leanmq.ErrLeaseLost)
		if err := mq.Tx(ended, func(tx *leanmq.Tx) error { tx.Send(q, nil); return nil }); !errors.Is(err, leanmq.ErrLeaseLost) || errors.Is(err, leanmq.ErrUnknown) {
			t.Errorf("with a context that has ended: %v", err)
		}
		if i := info(t, q); i.Ready != 1 || i.InFlight != 1 {
			t.Errorf("%+v", i)
		}
	})
}
