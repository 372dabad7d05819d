package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// CreateOrder asks for an order.
type CreateOrder struct {
	UserID          string `json:"user_id" validate:"required,max=64"`
	Items           []Item `json:"items" validate:"required,min=1,max=100,dive"`
	ShippingAddress string `json:"shipping_address" validate:"required,max=500"`
}

// Item is a line of an order.
type Item struct {
	ProductID string `json:"product_id" validate:"required,max=64"`
	Quantity  int    `json:"quantity" validate:"min=1,max=1000"`
	Price     Money  `json:"price" validate:"min=0"`
}

// Order is an order as it is stored.
type Order struct {
	OrderID         string    `json:"order_id"`
	UserID          string    `json:"user_id"`
	Status          string    `json:"status"`
	Total           Money     `json:"total"`
	Items           []Item    `json:"items"`
	ShippingAddress string    `json:"shipping_address"`
	CreatedAt       time.Time `json:"created_at"`
}

// OrderStatus is what is told about an order.
type OrderStatus struct {
	OrderID string `json:"order_id"`
	Status  string `json:"status"`
	Total   Money  `json:"total"`
}

// orderService keeps its orders in memory. Two processes of it would each have
// their own: a real one has a database here.
type orderService struct {
	mu     sync.Mutex
	orders map[string]Order
}

// newOrderService registers the service's handlers by path.
func newOrderService(mq *leanmq.Client) *webhook.Service {
	s := &orderService{orders: map[string]Order{}}
	svc := webhook.NewService("orders", mq)
	orders := svc.Group("/orders")
	webhook.Handle(orders, "POST /create", s.create, webhook.Status(http.StatusCreated))
	webhook.Handle(orders, "GET /status", s.status)
	webhook.Handle(orders, "GET /{id}", s.get)
	webhook.Handle(orders, "POST /audit", s.audit)
	return svc
}

func (s *orderService) create(ctx context.Context, in CreateOrder) (Order, error) {
	order := Order{
		// The message's id stays the same when the message is delivered again, so
		// a second run stores the same order once more instead of a second one.
		OrderID:         "ord-" + webhook.FromContext(ctx).Message.ID,
		UserID:          in.UserID,
		Status:          "confirmed",
		Items:           in.Items,
		ShippingAddress: in.ShippingAddress,
		CreatedAt:       time.Now().UTC().Truncate(time.Millisecond),
	}
	for _, item := range in.Items {
		order.Total += item.Price * Money(item.Quantity)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[order.OrderID] = order
	return order, nil
}

func (s *orderService) find(id string) (Order, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order, ok := s.orders[id]
	if !ok {
		return Order{}, webhook.NotFound("there is no order %q", id)
	}
	return order, nil
}

func (s *orderService) status(_ context.Context, in struct {
	OrderID string `query:"order_id" json:"-" validate:"required"`
},
) (OrderStatus, error) {
	order, err := s.find(in.OrderID)
	return OrderStatus{order.OrderID, order.Status, order.Total}, err
}

func (s *orderService) get(_ context.Context, in struct {
	ID string `path:"id" json:"-" validate:"required"`
},
) (Order, error) {
	return s.find(in.ID)
}

// audit takes longer than any caller of the demo waits.
func (s *orderService) audit(ctx context.Context, _ struct{}) (struct{}, error) {
	select {
	case <-time.After(time.Minute):
		return struct{}{}, nil
	case <-ctx.Done():
		return struct{}{}, fmt.Errorf("audit: %w", context.Cause(ctx))
	}
}
