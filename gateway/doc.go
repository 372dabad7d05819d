// Package gateway answers requests over the queue: in Go with [Request], and over
// HTTP, because a [Gateway] is an [net/http.Handler].
//
//	gw := gateway.New(mq)
//	defer gw.Close()
//	order, err := gateway.Request[Order](ctx, gw, "/orders/create", CreateOrder{…})
//	http.ListenAndServe(":8080", gw)
//
// A request goes to the service that has registered its path (package webhook) as
// a message; the reply comes back to this gateway's own inbox, a stream that one
// connection reads, whatever the number of requests that wait.
//
// # What is promised
//
// A reply reaches the one request that it answers: correlation ids are random and
// made here, and every gateway has an inbox of its own. A reply that comes too
// late, or twice, is dropped and counted.
//
// The caller's deadline travels with the request; a worker drops what nobody
// waits for any more. A request that ended without a reply may or may not have
// been handled. A request may be handled twice, if its worker died before it
// answered: handlers of non-idempotent requests should know the caller's id for
// the operation.
//
// A path without a route is answered at once with status 404; nothing is parked.
//
// # HTTP
//
// Method, path, query, the body and the headers on an allow-list travel to the
// handler; status, headers and body come back. Errors are problem details (RFC
// 9457) with the request's id and nothing of the inside: 404 unknown path, 405
// with Allow, 413 body too large, 503 Redis is away or the queue is full, 504 no
// reply in time; and whatever problem the handler answers, such as 400, 415 and
// 422 for a body that is malformed, of another type, or not valid.
//
// The X-Request-Id of a request, or a new one, is in every response.
package gateway
