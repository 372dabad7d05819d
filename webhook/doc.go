// Package webhook routes messages to handlers by path.
//
// A [Service] registers handlers on patterns and owns the messages sent to
// matching paths. Whoever wants something of it sends to a path, from any
// process, without knowing the service:
//
//	orders := webhook.NewService("orders", mq)
//	webhook.Handle(orders, "POST /orders/create", createOrder, webhook.Status(201))
//	webhook.On(orders, "/orders/{id}/shipped", orderShipped)
//	err := orders.Run(ctx)
//
//	_, err = webhook.NewSender(mq).Send(ctx, "/orders/42/shipped", Shipped{…})
//
// # What is promised
//
// Patterns follow [net/http.ServeMux] without hosts: an optional method,
// {name} for a segment and {rest...} for the remainder; the most specific pattern
// wins, and two that conflict panic at registration, naming both places. Unlike
// there, a trailing slash means nothing.
//
// Each pattern has a queue of its own, named after the service and the pattern
// (the names of wildcards do not matter), with the guarantees of package leanmq.
// An idle route costs the others no latency.
//
// The patterns of all services are in a route table in Redis. A pattern belongs
// to one service; another one that claims it, or one that conflicts with it, gets
// an error from Run. Senders cache the table; a change reaches them at once. When
// Redis has lost the table, running services register again within seconds, and
// senders go on with what they knew.
//
// A message to a path that no service has registered is parked in the queue
// "unrouted", which holds up to [MaxParked] messages, and flows to the service
// that registers the path.
//
// # Events
//
// A command, which [Sender.Send] sends, goes to the one service that has registered its
// path. An event goes to every service that has subscribed to it:
//
//	webhook.Subscribe(billing, "/events/order.*", func(ctx context.Context, ev Order) error { … })
//
//	_, err = webhook.NewSender(mq).Publish(ctx, "/events/order.created", Order{…})
//
// The path without its last segment is a topic of package leanmq, and the last segment the
// event's type; a service is one group of it. So events are kept, each service gets them
// at its own pace, and one that fails holds up no other. Commands and events share no path:
// Publish finds no routes, and Send no subscriptions.
//
// # Handlers
//
// Requests are decoded strictly: unknown fields are refused, and the rules in
// `validate` tags (go-playground/validator) are checked before the handler runs.
// What fails that is answered when a caller waits, or else dead-lettered at once;
// it is never retried. A rule that [Service.Validator] does not know is an error of Run.
//
// Handlers return errors. A [*Problem] says what the caller may know; any other
// error is answered as status 500 without its text. Without a caller, a Problem
// of the 400s (but for 408 and 429) dead-letters the message, and every other
// error is retried by the queue's policy.
package webhook
