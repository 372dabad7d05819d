package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

// The order and the messages about it: all of them, or none.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("pgx", "postgres://localhost/shop") // import _ "github.com/jackc/pgx/v5/stdlib"
	if err != nil {
		panic(err)
	}
	box := outbox.New()
	if err := box.Create(ctx, db); err != nil { // once, or run box.Schema with your migrations
		panic(err)
	}

	placeOrder := func(ctx context.Context, customer string) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "INSERT INTO orders (customer) VALUES ($1)", customer); err != nil {
			return err
		}
		if _, err := box.Send(ctx, tx, "emails", []byte(customer), leanmq.Delay(time.Minute)); err != nil {
			return err
		}
		if _, err := box.Publish(ctx, tx, "shop:events", []byte(customer), leanmq.Type("order.placed")); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		box.Kick()
		return nil
	}
	if err := placeOrder(ctx, "gopher"); err != nil {
		fmt.Println(err)
	}
}

// A relay, in this process or in one of its own.
func ExampleBox_Relay() {
	relay := func(ctx context.Context, db *sql.DB) error {
		mq, err := leanmq.Open(ctx, "redis://localhost:6379")
		if err != nil {
			return err
		}
		defer mq.Close()
		return outbox.New().Relay(ctx, db, mq) // until ctx ends
	}
	_ = relay
}

// What cannot be sent waits for somebody who looks.
func ExampleBox_Stuck() {
	look := func(ctx context.Context, box *outbox.Box, db *sql.DB) error {
		for row, err := range box.Stuck(ctx, db) {
			if err != nil {
				return err
			}
			fmt.Printf("%s, for %s, since %v: %s\n", row.ID, row.Queue, row.StuckAt, row.Error)
			if _, err := box.Retry(ctx, db, row.Row); err != nil { // or Discard
				return err
			}
		}
		return nil
	}
	_ = look
}

func ExampleTable() {
	box := outbox.New(outbox.Table("shop.outbox; DROP TABLE orders"))
	_, err := box.Schema()
	fmt.Println(err)
	// Output:
	// outbox: open shop.outbox; DROP TABLE orders: Table "shop.outbox; DROP TABLE orders" is no name: want [schema.]table, each of up to 40 letters, digits and underscores, not beginning with a digit
}
