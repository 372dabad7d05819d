package webhook_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded" // makes mem:// work
	"github.com/leanmq/leanmq/webhook"
)

// A service registers its handlers by path; whoever sends needs to know nothing
// but the path.
func Example() {
	mq, err := leanmq.Open(context.Background(), "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = mq.Close() }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	type shipped struct {
		Carrier string `json:"carrier"`
	}
	orders := webhook.NewService("orders", mq)
	webhook.On(orders, "/orders/{id}/shipped", func(ctx context.Context, ev shipped) error {
		fmt.Printf("order %s is on its way with %s\n", webhook.FromContext(ctx).PathValue("id"), ev.Carrier)
		stop() // for the example: the service drains and Run returns
		return nil
	})

	// From any process, before or after the service has come up.
	_, err = webhook.NewSender(mq).Send(ctx, "/orders/42/shipped", shipped{Carrier: "DHL"})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println("Run:", orders.Run(ctx))
	// Output:
	// order 42 is on its way with DHL
	// Run: <nil>
}

// What does not pass the rules never reaches the handler: it is dead-lettered at
// once, or answered with status 422 when somebody waits.
func ExampleOn_validation() {
	mq, err := leanmq.Open(context.Background(), "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = mq.Close() }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	type signup struct {
		Email string `json:"email" validate:"required,email"`
		Age   int    `json:"age" validate:"min=16"`
	}
	users := webhook.NewService("users", mq, webhook.ConsumeWith(leanmq.Concurrency(1)))
	webhook.On(users, "POST /users", func(_ context.Context, in signup) error {
		fmt.Println("welcome,", in.Email)
		stop()
		return nil
	})

	sender := webhook.NewSender(mq)
	for _, in := range []signup{{"nobody", 7}, {"ada@example.com", 36}} {
		if _, err := sender.Send(ctx, "/users", in); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("Run:", users.Run(ctx))
	route, err := webhook.Lookup(context.Background(), mq, "POST", "/users")
	if err != nil {
		fmt.Println(err)
		return
	}
	for dead, err := range route.Queue.DeadLetters(context.Background()) {
		fmt.Println(dead.Reason+":", dead.Error, err)
	}
	// Output:
	// welcome, ada@example.com
	// Run: <nil>
	// rejected: 422 Unprocessable Entity: the request is well-formed but not valid; email must be a valid email address; age must be 16 or greater <nil>
}

// Middleware wraps handlers; of several, the first one listed is outermost.
func ExampleMiddleware() {
	mq, err := leanmq.Open(context.Background(), "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = mq.Close() }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	logged := func(next webhook.Handler) webhook.Handler {
		return func(ctx context.Context, r *webhook.Request) (*webhook.Response, error) {
			resp, err := next(ctx, r)
			fmt.Println(r.Method, r.Path, "->", err)
			stop()
			return resp, err
		}
	}
	authorised := func(next webhook.Handler) webhook.Handler {
		return func(ctx context.Context, r *webhook.Request) (*webhook.Response, error) {
			if r.Header("x-token") != "secret" {
				return nil, webhook.NewProblem(401, "who are you?")
			}
			return next(ctx, r)
		}
	}
	s := webhook.NewService("accounts", mq, webhook.Use(logged))
	admin := s.Group("/admin", authorised)
	admin.Handle("DELETE /accounts/{id}", func(context.Context, *webhook.Request) (*webhook.Response, error) {
		return nil, errors.New("not reached")
	})

	if _, err := webhook.NewSender(mq).Send(ctx, "DELETE /admin/accounts/7", nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println("Run:", s.Run(ctx))
	// Output:
	// DELETE /admin/accounts/7 -> 401 Unauthorized: who are you?
	// Run: <nil>
}
