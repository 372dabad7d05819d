package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
)

// An order changes the stock, asks for the invoice and is done: all of it or nothing,
// whatever crashes, and only once.
func ExampleClient_Tx() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	orders, invoices := mq.Queue("shop:orders"), mq.Queue("shop:invoices")
	err = mq.Tx(ctx, func(tx *leanmq.Tx) error {
		tx.Do("HSET", "{shop}:stock", "lamps", 10)
		tx.Send(orders, []byte("3 lamps"))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}

	err = orders.Consume(ctx, func(ctx context.Context, m *leanmq.Message) error {
		var left *redis.Cmd
		err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
			left = tx.Do("HINCRBY", "{shop}:stock", "lamps", -3)
			tx.Send(invoices, m.Payload, leanmq.Delay(time.Hour))
			return tx.Done(m)
		})
		if err != nil {
			return err // nothing has happened: the order is tried again
		}
		fmt.Println("lamps left:", left.Val())
		stop()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	info, err := invoices.Info(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("invoices to be written:", info.Scheduled)
	// Output:
	// lamps left: 7
	// invoices to be written: 1
}

// The stock and what everybody is told about it never differ.
func ExampleTx_Publish() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	events := mq.Topic("shop:events")

	var left *redis.Cmd
	err = mq.Tx(ctx, func(tx *leanmq.Tx) error {
		left = tx.Do("INCRBY", "{shop}:lamps", 10)
		tx.Publish(events, []byte("10 lamps"), leanmq.Type("stock.arrived"))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("lamps:", left.Val())

	err = mq.Tx(ctx, func(tx *leanmq.Tx) error {
		tx.Do("DECRBY", "{shop}:lamps", 3)
		tx.Publish(events, []byte("3 lamps"), leanmq.Type("stock.sold"))
		return errors.New("the customer has changed his mind")
	})
	fmt.Println(err)

	told, err := events.Read(ctx, leanmq.FromBeginning(), 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range told {
		fmt.Println(e.Message.Type, string(e.Message.Payload))
	}
	// Output:
	// lamps: 10
	// the customer has changed his mind
	// stock.arrived 10 lamps
}

// A transaction that may have been committed, or not, is safe to repeat if one of its
// messages must be new.
func ExampleTxSend_MustBeNew() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	receipts := mq.Queue("receipts")

	deposit := func() error {
		return mq.Tx(ctx, func(tx *leanmq.Tx) error {
			tx.Do("INCRBY", "balance", 100)
			tx.Send(receipts, []byte("+100"), leanmq.ID("deposit-42")).MustBeNew()
			return nil
		})
	}
	fmt.Println("deposited:", deposit() == nil)
	fmt.Println("deposited before:", errors.Is(deposit(), leanmq.ErrDuplicate))

	var balance *redis.Cmd
	err = mq.Tx(ctx, func(tx *leanmq.Tx) error {
		balance = tx.Do("GET", "balance")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("balance:", balance.Val())
	// Output:
	// deposited: true
	// deposited before: true
	// balance: 100
}
