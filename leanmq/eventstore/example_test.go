package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded" // makes mem:// work
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// account is a bank account: what its events make of it.
type account struct{ Cents int }

type moved struct{ Cents int }

func (a *account) apply(ev *eventstore.Event) error {
	m, err := eventstore.Decode[moved](ev)
	switch ev.Type {
	case "account.deposited":
		a.Cents += m.Cents
	case "account.withdrawn":
		a.Cents -= m.Cents
	}
	return err
}

// withdraw is a command: it loads the account, decides, and appends what has happened.
// If another one was faster it does so again.
func withdraw(ctx context.Context, bank *eventstore.Store, id string, cents int) error {
	for {
		a, version, err := eventstore.Load(ctx, bank, id, (*account).apply)
		switch {
		case err != nil:
			return err
		case a.Cents < cents:
			return fmt.Errorf("%s has only %d cents", id, a.Cents)
		}
		_, err = bank.Append(ctx, id, eventstore.Exactly(version),
			eventstore.NewEvent{Type: "account.withdrawn", Data: moved{cents}, Header: leanmq.Header{"by": "ada"}})
		if !errors.Is(err, eventstore.ErrConflict) {
			return err
		}
	}
}

func Example() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	bank := eventstore.New(mq, "bank")

	_, err = bank.Append(ctx, "account-7", eventstore.NoEvents,
		eventstore.NewEvent{Type: "account.opened", Data: struct{}{}},
		eventstore.NewEvent{Type: "account.deposited", Data: moved{1000}})
	if err != nil {
		log.Fatal(err)
	}
	if err := withdraw(ctx, bank, "account-7", 300); err != nil {
		log.Fatal(err)
	}
	fmt.Println(withdraw(ctx, bank, "account-7", 5000))

	// A snapshot spares reading the events until then.
	if err := bank.SaveSnapshot(ctx, "account-7", 3, account{Cents: 700}); err != nil {
		log.Fatal(err)
	}
	a, version, err := eventstore.Load(ctx, bank, "account-7", (*account).apply)
	fmt.Println(a, version, err)

	for ev, err := range bank.ReadType(ctx, "account.*", "") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ev.Aggregate, ev.Version, ev.Type, ev.Header)
	}
	// Output:
	// account-7 has only 700 cents
	// {700} 3 <nil>
	// account-7 1 account.opened map[]
	// account-7 2 account.deposited map[]
	// account-7 3 account.withdrawn map[by:ada]
}

// A projection whose result is in Redis, too, counts every event exactly once, whatever
// happens to the processes that run it.
func ExampleStore_Project() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	bank := eventstore.New(mq, "bank")
	for id, cents := range map[string]int{"account-7": 1000, "account-8": 50} {
		_, err := bank.Append(ctx, id, eventstore.Any, eventstore.NewEvent{Type: "account.deposited", Data: moved{cents}})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := withdraw(ctx, bank, "account-7", 300); err != nil {
		log.Fatal(err)
	}

	run, end := context.WithCancel(ctx) // a service would run it until it is stopped
	err = bank.Project(run, "balances", func(_ context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
		m, err := eventstore.Decode[moved](ev)
		if err != nil {
			return err
		}
		switch ev.Type {
		case "account.deposited":
			commit.Do("HINCRBY", "{bank}:balances", ev.Aggregate, m.Cents)
		case "account.withdrawn":
			commit.Do("HINCRBY", "{bank}:balances", ev.Aggregate, -m.Cents)
			end()
		}
		return nil
	})
	fmt.Println("Project:", err)

	balances, err := bank.Projection(ctx, "balances")
	fmt.Println(balances.Handled, "handled,", balances.Lag, "to do", err)
	// Output:
	// Project: <nil>
	// 3 handled, 0 to do <nil>
}
