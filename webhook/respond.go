package webhook

import (
	"context"
	"errors"
	"net/http"

	"github.com/leanmq/leanmq/leanmq"
)

// requestIDHeader is the header that a request's id travels in.
const requestIDHeader = "x-request-id"

// serve handles a message.
func (rt *route) serve(ctx context.Context, m *leanmq.Message) error {
	r, err := newRequest(m, rt)
	if err != nil {
		return fail(m, err)
	}
	return rt.run(ctx, m, r)
}

// run calls the handler.
func (rt *route) run(ctx context.Context, m *leanmq.Message, r *Request) error {
	returned := false
	defer func() {
		if !returned { // it panics, which the queue takes for an error; its caller gets a problem
			_ = fail(m, errPanicked)
		}
	}()
	resp, err := rt.handler(ctx, r)
	returned = true
	return rt.respond(m, resp, err)
}

var errPanicked = errors.New("the handler panicked")

// respond turns what a handler returned into the message's reply and verdict.
func (rt *route) respond(m *leanmq.Message, resp *Response, err error) error {
	if err != nil {
		return fail(m, err)
	}
	if !m.WantsReply() {
		if resp != nil {
			m.SetResult(resp.Body) // if it is to be kept (leanmq.KeepResult)
		}
		return nil
	}
	reply := leanmq.Reply{Status: rt.status}
	if resp != nil {
		reply.Header, reply.Payload = resp.Header, resp.Body
		if resp.Status != 0 {
			reply.Status = resp.Status
		}
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
		if len(reply.Payload) == 0 {
			reply.Status = http.StatusNoContent
		}
	}
	m.Reply(reply)
	return nil
}

// fail answers with a problem, or says what the queue is to do with the message.
func fail(m *leanmq.Message, err error) error {
	p := problemOf(err)
	if m.WantsReply() {
		r := p.Response(m.Header.Get(requestIDHeader))
		m.Reply(leanmq.Reply{Status: r.Status, Header: r.Header, Payload: r.Body})
		return err
	}
	switch {
	case leanmq.HasVerdict(err):
		return err
	case p.clientsFault():
		return leanmq.Reject(err)
	case p.RetryAfter > 0:
		return leanmq.RetryAfter(p.RetryAfter, err)
	}
	return err
}
