// Balance moves money between two accounts by messages, and kills its own workers while
// they do so. Each message is handled in a transaction that changes both balances and
// is done with the message, so that the books are right in the end: no transfer is
// lost, and none is applied twice.
//
//	go run ./examples/balance [-redis redis://localhost:6379]
//
// Without -redis it runs on the embedded store.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/embedded"
)

const (
	transfers = 500
	crashes   = 5
	opening   = 1000 // of each account
)

func main() {
	url := flag.String("redis", "", "`URL` of a single Redis server (default: the embedded store)")
	book := flag.String("worker", "", "be a worker on this `book`; the program starts itself so")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *book != "" {
		err = work(ctx, *url, *book)
	} else {
		err = run(ctx, *url)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "balance:", err)
		os.Exit(1)
	}
}

// run plays the demo: one book, one sender, and workers that do not live long.
func run(ctx context.Context, url string) error {
	if url == "" {
		server, err := embedded.Start() // of this process, and reached by its workers
		if err != nil {
			return err
		}
		defer func() { _ = server.Close() }()
		url = server.URL()
	}
	opts, err := redis.ParseURL(url)
	if err != nil {
		return fmt.Errorf("-redis wants a single server, such as redis://localhost:6379: %w", err)
	}
	mq, err := leanmq.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = mq.Close() }()
	rdb := redis.NewClient(opts)
	defer func() { _ = rdb.Close() }()

	b := newBook(fmt.Sprintf("balance-%d", time.Now().UnixNano()), mq)
	defer b.remove(rdb)
	want, err := b.open(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d transfers between alice and bob, who have %d each\n", transfers, opening)
	if err := b.crash(ctx, rdb, url); err != nil {
		return err
	}
	return b.audit(ctx, rdb, want)
}

// crash has workers apply the transfers, and kills all but the last one in the middle.
func (b *book) crash(ctx context.Context, rdb *redis.Client, url string) error {
	for n := 1; ; n++ {
		w, err := startWorker(url, b.name)
		if err != nil {
			return err
		}
		until := int64(transfers * n / (crashes + 1))
		if n > crashes {
			until = transfers
		}
		applied, err := b.wait(ctx, rdb, until)
		w.kill()
		if err != nil || n > crashes {
			return err
		}
		fmt.Printf("worker %d is killed after transfer %d\n", n, applied)
	}
}

// wait waits until so many transfers are applied.
func (b *book) wait(ctx context.Context, rdb *redis.Client, until int64) (applied int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the transfers are not applied"))
	defer cancel()
	for {
		if applied, err = rdb.HLen(ctx, b.applied).Result(); err != nil {
			return 0, err
		}
		if applied >= until {
			return applied, nil
		}
		select {
		case <-ctx.Done():
			return applied, context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// audit compares the book with what was sent.
func (b *book) audit(ctx context.Context, rdb *redis.Client, want map[string]int) error {
	times, err := rdb.HVals(ctx, b.applied).Result()
	if err != nil {
		return err
	}
	for _, n := range times {
		if n != "1" {
			return fmt.Errorf("a transfer was applied %s times", n)
		}
	}
	receipts, err := b.receipts.Info(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%d transfers were applied, each once; %d receipts\n", len(times), receipts.Ready)
	sum := 0
	for _, account := range []string{"alice", "bob"} {
		balance, err := rdb.HGet(ctx, b.balances, account).Int()
		if err != nil {
			return err
		}
		fmt.Printf("%s has %d\n", account, balance)
		if balance != want[account] {
			return fmt.Errorf("%s should have %d", account, want[account])
		}
		sum += balance
	}
	fmt.Printf("together %d: the books are right\n", sum)
	return nil
}
