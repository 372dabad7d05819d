package leanmq_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

type Shipment struct {
	Order int
	To    string
}

// A typed handler takes values; what is no such value goes to the dead letters.
func ExampleTyped() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	shipments := mq.Queue("shipments")
	if _, err := shipments.Send(ctx, []byte("not JSON")); err != nil {
		log.Fatal(err)
	}
	if _, err := shipments.SendValue(ctx, Shipment{42, "Ada"}); err != nil {
		log.Fatal(err)
	}

	err = shipments.Consume(ctx, leanmq.Typed(func(_ context.Context, s Shipment, _ *leanmq.Message) error {
		fmt.Printf("order %d goes to %s\n", s.Order, s.To)
		stop()
		return nil
	}), leanmq.Concurrency(1))
	if err != nil {
		log.Fatal(err)
	}
	for letter, err := range shipments.DeadLetters(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %q\n", letter.Reason, letter.Message.Payload)
	}
	// Output:
	// order 42 goes to Ada
	// undecodable: "not JSON"
}

// Gob is a codec of your own.
type Gob struct{}

func (Gob) Name() string { return "gob" }

func (Gob) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (Gob) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

// The first codec encodes. The message says what decodes it, so that JSON from
// elsewhere is still understood.
func ExampleCodecs() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://", leanmq.Codecs(Gob{}))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	shipments := mq.Queue("shipments")
	if _, err := shipments.SendValue(ctx, Shipment{1, "Ada"}); err != nil {
		log.Fatal(err)
	}
	if _, err := shipments.SendValue(ctx, Shipment{2, "Grace"}, leanmq.WithCodec(leanmq.JSON)); err != nil {
		log.Fatal(err)
	}
	for m, err := range shipments.Waiting(ctx) {
		var s Shipment
		if err == nil {
			err = m.Decode(&s)
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q: %+v\n", m.Header[":codec"], s)
	}
	// Output:
	// "gob": {Order:1 To:Ada}
	// "": {Order:2 To:Grace}
}

func ExampleCompress() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://", leanmq.Compress(1024))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	logs := mq.Queue("logs")
	if _, err := logs.Send(ctx, []byte(strings.Repeat("nothing happened\n", 1000))); err != nil {
		log.Fatal(err)
	}
	for m, err := range logs.Waiting(ctx) { // any client would do
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(m.Payload), "bytes")
	}
	// Output: 17000 bytes
}

// A new key comes in three steps: know it, use it, forget the old one.
func ExampleEncrypt() {
	ctx := context.Background()
	november, december := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32) // of a secret store
	open := func(primary string, keys map[string][]byte) *leanmq.Client {
		ring, err := leanmq.NewKeyring(primary, keys)
		if err != nil {
			log.Fatal(err)
		}
		mq, err := leanmq.Open(ctx, "mem://rotation", leanmq.Encrypt(ring))
		if err != nil {
			log.Fatal(err)
		}
		return mq
	}

	both := map[string][]byte{"2026-11": november, "2026-12": december}
	before, during, after := open("2026-11", both), open("2026-12", both), open("2026-12", map[string][]byte{"2026-12": december})
	defer func() { _, _, _ = before.Close(), during.Close(), after.Close() }()
	if _, err := before.Queue("salaries").Send(ctx, []byte("Ada: 7000")); err != nil {
		log.Fatal(err)
	}
	if _, err := during.Queue("salaries").Send(ctx, []byte("Grace: 7100")); err != nil {
		log.Fatal(err)
	}
	for _, mq := range []*leanmq.Client{during, after} {
		for m, err := range mq.Queue("salaries").Waiting(ctx) {
			switch {
			case err != nil:
				log.Fatal(err)
			case m.Header[":encoding"] != "":
				fmt.Println("  locked:", m.Header[":encoding"])
			default:
				fmt.Printf("  %s\n", m.Payload)
			}
		}
		fmt.Println()
	}
	// Output:
	//   Ada: 7000
	//   Grace: 7100
	//
	//   locked: aes-gcm;key=2026-11
	//   Grace: 7100
}
