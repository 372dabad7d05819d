package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/leanmq/leanmq/gateway"
)

// demo plays a conversation with the order service.
func demo(ctx context.Context, gw *gateway.Gateway) error {
	order, err := gateway.Request[Order](ctx, gw, "/orders/create", CreateOrder{
		UserID: "user-17",
		Items: []Item{
			{ProductID: "keyboard", Quantity: 1, Price: 8990},
			{ProductID: "cable", Quantity: 3, Price: 749},
		},
		ShippingAddress: "12 Harbour Street, 20457 Hamburg",
	})
	if err != nil {
		return err
	}
	show("Order creation response:", order)

	status, err := gateway.Request[OrderStatus](ctx, gw, "GET /orders/status?order_id="+url.QueryEscape(order.OrderID), nil)
	if err != nil {
		return err
	}
	show("Order status response:", status)

	_, err = gateway.Request[Order](ctx, gw, "/invoices/create", nil)
	fmt.Printf("A path that nobody serves:\n%v\n\n", err)

	impatient, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	_, err = gateway.Request[struct{}](impatient, gw, "/orders/audit", nil)
	fmt.Printf("A handler that is too slow:\n%v\n", err)
	return nil
}

func show(heading string, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // these types always encode
	}
	fmt.Printf("%s\n%s\n\n", heading, text)
}
