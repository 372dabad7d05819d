package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded" // makes mem:// work
	"github.com/leanmq/leanmq/webhook"
)

type CreateOrder struct {
	Product string `json:"product" validate:"required"`
}

type Order struct {
	ID      string `json:"id"`
	Product string `json:"product"`
}

// startOrders runs a service, usually in a process of its own, until it is
// stopped.
func startOrders(mq *leanmq.Client) (stop func()) {
	orders := webhook.NewService("orders", mq)
	webhook.Handle(orders, "POST /orders", func(_ context.Context, in CreateOrder) (Order, error) {
		return Order{ID: "42", Product: in.Product}, nil
	}, webhook.Status(http.StatusCreated))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- orders.Run(ctx) }()
	<-orders.Ready()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
	}
}

// A request goes to whatever service has registered the path, and comes back with
// its answer. What the handler refuses is a [webhook.Problem].
func ExampleRequest() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = mq.Close() }()
	defer startOrders(mq)()

	gw := gateway.New(mq)
	defer func() { _ = gw.Close() }()
	order, err := gateway.Request[Order](ctx, gw, "/orders", CreateOrder{Product: "cable"})
	fmt.Println(order, err)

	_, err = gateway.Request[Order](ctx, gw, "/orders", CreateOrder{})
	var p *webhook.Problem
	if errors.As(err, &p) {
		fmt.Println(p.Status, p.Fields)
	}
	// Output:
	// {42 cable} <nil>
	// 422 [{product is a required field}]
}

// A gateway is an http.Handler: mount it, and every registered path is there.
func ExampleGateway_ServeHTTP() {
	mq, err := leanmq.Open(context.Background(), "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = mq.Close() }()
	defer startOrders(mq)()

	gw := gateway.New(mq)
	defer func() { _ = gw.Close() }()
	server := httptest.NewServer(gw) // or http.ListenAndServe(":8080", gw)
	defer server.Close()

	for _, path := range []string{"/orders", "/invoices"} {
		resp, err := http.Post(server.URL+path, "application/json", strings.NewReader(`{"product":"cable"}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode < 300 {
			fmt.Println(resp.Status, string(body), err)
		} else {
			fmt.Println(resp.Status, resp.Header.Get("Content-Type"), err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// 201 Created {"id":"42","product":"cable"} <nil>
	// 404 Not Found application/problem+json <nil>
}
