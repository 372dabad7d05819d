package leanmqtest_test

import (
	"context"
	"fmt"

	"github.com/leanmq/leanmq/leanmq/leanmqtest"
	"github.com/leanmq/leanmq/webhook"
)

// A service of package webhook runs as in production; the test waits for what it
// does.
func ExampleEnv_Run_webhook() {
	t, end := test() // a test has its own
	defer end()

	env := leanmqtest.New(t)
	type shipped struct {
		Carrier string `json:"carrier"`
	}
	told := make(chan string)
	orders := webhook.NewService("orders", env.Client)
	webhook.On(orders, "/orders/{id}/shipped", func(ctx context.Context, ev shipped) error {
		told <- fmt.Sprintf("order %s is on its way with %s", webhook.FromContext(ctx).PathValue("id"), ev.Carrier)
		return nil
	})
	env.Run(orders.Run)

	_, err := webhook.NewSender(env.Open()).Send(t.Context(), "/orders/42/shipped", shipped{Carrier: "DHL"})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(<-told)
	// Output: order 42 is on its way with DHL
}
