package leanmq_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestMaxPayloadBytesBoundsEverySend(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		// What is bounded is the payload, not what is stored of it.
		keys := keyring(t, "2026-11")
		for name, opts := range map[string][]leanmq.Option{
			"plain": nil, "encrypted": {leanmq.Encrypt(keys)}, "compressed": {leanmq.Compress(1)},
		} {
			mq := open(t, url, opts...)
			q := mq.Queue(name, leanmq.MaxPayloadBytes(100))
			in := openInbox(t, mq)
			large := bytes.Repeat([]byte("x"), 101)
			_, err := q.Send(t.Context(), large)
			isInvalid(t, err, "payload")
			if err == nil || !strings.Contains(err.Error(), "has 101 bytes: at most 100") {
				t.Errorf("%v does not name the sizes", err)
			}
			_, err = q.Send(t.Context(), large, leanmq.ID("x"))
			isInvalid(t, err, "payload")
			_, err = q.SendMany(t.Context(), [][]byte{large[:1], large})
			isInvalid(t, err, "payload")
			_, err = q.SendValue(t.Context(), string(large[:99])) // and two quotes
			isInvalid(t, err, "payload")
			_, err = in.Request(t.Context(), q, large)
			isInvalid(t, err, "payload")
			if i := info(t, q); i.Ready != 0 {
				t.Errorf("%s: %d were sent", name, i.Ready)
			}
			send(t, q, string(large[:100]))
			send(t, mq.Queue(name), string(large)) // another handle
		}
	})
}

func TestMaxPayloadBytesOutOfBounds(t *testing.T) {
	mq := open(t, "mem://")
	for _, n := range []int{-1, 0, leanmq.MaxPayload + 1} {
		_, err := mq.Queue("jobs", leanmq.MaxPayloadBytes(n)).Send(t.Context(), nil)
		isInvalid(t, err, "MaxPayloadBytes")
	}
	send(t, mq.Queue("jobs", leanmq.MaxPayloadBytes(1)), "x")
	_, err := mq.Queue("jobs", leanmq.MaxPayloadBytes(leanmq.MaxPayload)).Send(t.Context(), make([]byte, leanmq.MaxPayload+1))
	isInvalid(t, err, "payload")
}
