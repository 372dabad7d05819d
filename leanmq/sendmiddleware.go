package leanmq

import (
	"context"
	"slices"

	"github.com/leanmq/leanmq/internal/store"
)

// Outgoing is a message on its way to Redis, as a [SendMiddleware] sees it. It is
// the middleware's until the send returns.
type Outgoing struct {
	// Payload may be replaced. Its bytes are the caller's: do not write into them.
	Payload []byte
	// Header may be changed, by the rules of [WithHeader]. It is never nil, and
	// this message's own.
	Header Header

	// Queue and Target say where the message goes, and ID is the caller's [ID] or
	// "". A message in which one of them was changed is refused with ErrInvalid.
	// When the message has been sent, ID is the id that it has.
	Queue, Target, ID string
	// Err says why the message was not sent, once that was tried, or that it is a
	// duplicate. Middleware that does not pass a message on says why by setting it.
	Err error

	call  *sendCall
	index int            // within the call
	given store.Envelope // as the caller wants it
	state sendState
}

type sendState uint8

const (
	notSent   sendState = iota
	sent                // by this call
	sentTwice           // ErrDuplicate: it had been sent before
)

// SendFunc sends messages of one call, those of a SendMany in one round trip. It
// sets ID or Err of each of them, and returns an error that tells of all that were
// not sent.
//
// It may be called again, to try again: messages that have been sent are passed
// over. One that failed with ErrUnknown may have been sent as well; it is only safe
// to repeat with an ID. It must not be called concurrently with messages of the
// same call.
type SendFunc func(ctx context.Context, ms []*Outgoing) error

// SendMiddleware wraps the sending of a client: every Send, SendMany and
// [Inbox.Request] passes through it once, with all its messages together, after
// its options were found to be in order. It is composed once, when the client is
// opened.
//
// The caller gets what the outermost middleware returns. No message is lost
// silently: when that is nil, but a message is neither sent nor a duplicate, the
// call returns the message's Err, or else [ErrNotSent]. When it is an error, but
// the message has been sent, the caller gets its id together with the error. What
// is passed on must be messages of the call; they must not be kept for later.
type SendMiddleware func(SendFunc) SendFunc

// UseSend adds middleware around all that the client sends. The first one listed
// is the outermost. Several UseSend add up. A nil middleware, or one that returns
// nil, is an [InvalidError].
//
// What is not a send does not pass through it: retries, requeued dead letters,
// replies.
func UseSend(mws ...SendMiddleware) Option {
	return func(c *clientConfig) { c.sends = append(c.sends, mws...) }
}

func composeSend(mws []SendMiddleware) (f SendFunc, err error) {
	if len(mws) == 0 {
		return nil, nil
	}
	if err := noneNil("UseSend", len(mws), func(i int) bool { return mws[i] == nil }); err != nil {
		return nil, err
	}
	defer refusal(&err)
	f = passOn
	for i, mw := range slices.Backward(mws) {
		if f = mw(f); f == nil {
			return nil, invalid("UseSend", "middleware %d returns a nil function", i)
		}
	}
	return f, nil
}
