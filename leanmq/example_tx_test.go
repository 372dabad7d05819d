package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

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
	if _, err := orders.Send(ctx, []byte("3 lamps")); err != nil {
		log.Fatal(err)
	}

	err = orders.Consume(ctx, func(ctx context.Context, m *leanmq.Message) error {
		defer stop()
		err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
			left := tx.Do("HINCRBY", "{shop}:stock", "lamps", -3)
			defer fmt.Println("known before the commit:", left.Err() == nil)
			tx.Send(invoices, m.Payload, leanmq.Delay(time.Hour))
			return tx.Done(m)
		})
		fmt.Println("committed:", err == nil)
		return err
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
	// known before the commit: false
	// committed: true
	// invoices to be written: 1
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
			balance := tx.Do("INCRBY", "balance", 100)
			tx.Send(receipts, []byte("+100"), leanmq.ID("deposit-42")).MustBeNew()
			defer func() { _ = balance }()
			return nil
		})
	}
	fmt.Println(deposit())
	fmt.Println(errors.Is(deposit(), leanmq.ErrDuplicate)) // the balance is 100
	// Output:
	// <nil>
	// true
}
