package leanmq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// Handler handles a message. The error it returns is its verdict: nil is done,
// [Reject] dead-letters, [RetryAfter] retries then, any other error retries
// with backoff.
//
// ctx ends when the message's deadline passes, when its lease is lost, when a drain
// takes too long, or when its time is up (see [MaxRunTime]); [context.Cause] tells
// which. It does not end when the consumer is asked to stop.
//
// The payload belongs to the handler, but it shares its memory with those of
// messages fetched together: copy it to keep it for long.
type Handler func(ctx context.Context, m *Message) error

// Reject returns an error that dead-letters the message at once: no retry will
// help. err says why; nil is allowed.
func Reject(err error) error {
	if err == nil {
		err = errors.New("rejected")
	}
	return &rejection{err}
}

type rejection struct{ err error }

func (r *rejection) Error() string { return r.err.Error() }
func (r *rejection) Unwrap() error { return r.err }

// RetryAfter returns an error that retries the message after d, by the server's
// clock, instead of after the policy's backoff. It counts as a failed attempt.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		err = fmt.Errorf("retry after %v", d)
	}
	return &retryAfter{max(d, 0), err}
}

type retryAfter struct {
	d   time.Duration
	err error
}

func (r *retryAfter) Error() string { return r.err.Error() }
func (r *retryAfter) Unwrap() error { return r.err }

// HasVerdict reports whether err says by itself what is to become of the message:
// it holds a Reject, a RetryAfter or an ErrUndecodable. For layers that judge
// errors of their own.
func HasVerdict(err error) bool {
	var reject *rejection
	var after *retryAfter
	return errors.As(err, &reject) || errors.As(err, &after) || isUndecodable(err)
}

// PanicError is a handler's panic as an error. It is retried like any other.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Why a message is dead.
const (
	ReasonRejected  = "rejected"  // the handler returned Reject
	ReasonExhausted = "exhausted" // the last allowed attempt failed
	ReasonMalformed = "malformed" // not a message: no handler saw it
	ReasonCrashed   = "crashed"   // delivered MaxDeliveries times, never settled
	// ReasonUndecodable: the payload could not be opened, and no handler saw it,
	// or the handler returned an ErrUndecodable.
	ReasonUndecodable = "undecodable"
	ReasonTooOld      = "too old" // MaxAge leaves no time for another attempt
	ReasonExpired     = "expired" // its TTL was over, and OnExpired wants to know
)

// isUndecodable reports whether err dead-letters because it holds an
// ErrUndecodable. In a RetryAfter it does not.
func isUndecodable(err error) bool {
	var after *retryAfter
	return errors.Is(err, ErrUndecodable) && !errors.As(err, &after)
}

// outcome is what becomes of a message.
type outcome uint8

const (
	outcomeDone outcome = iota
	outcomeRetry
	outcomeDead
	outcomeKeep     // not ours any more, or to be handed back: do nothing
	outcomeExpired  // as done, and counted
	outcomeCanceled // the same
)

// verdict is a handler's error, judged.
type verdict struct {
	outcome outcome
	asked   bool          // for this delay, by RetryAfter
	delay   time.Duration // of a retry
	reason  string        // of a death
	err     string
}

// buryMalformed is the verdict on what is no message: no handler sees it.
func (m *Message) buryMalformed() {
	m.Attempt = 0
	m.verdict = verdict{outcome: outcomeDead, reason: ReasonMalformed, err: m.malformed.Error()}
}

// judge turns the error of a failed attempt into a verdict. age is the message's.
func (c *consumeConfig) judge(m *Message, err error, age time.Duration, log *zerolog.Logger) verdict {
	if len(c.rules) > 0 && err != nil {
		cause := err
		if err = c.rules.judge(err, log); err == nil {
			log.Debug().Str("id", m.ID).Int("attempt", m.Attempt).AnErr("error", cause).Msg("failed: dropped by a rule")
		}
	}
	if err == nil {
		return verdict{outcome: outcomeDone}
	}
	v := verdict{outcome: outcomeDead, err: errorText(err)}
	var reject *rejection
	if errors.As(err, &reject) {
		v.reason = ReasonRejected
		return v
	}
	if isUndecodable(err) {
		v.reason = ReasonUndecodable
		return v
	}
	policy := c.policy(m, log)
	if m.Attempt >= policy.MaxAttempts {
		v.reason = ReasonExhausted
		return v
	}
	var after *retryAfter
	if v.asked = errors.As(err, &after); v.asked {
		v.delay = after.d
	} else {
		v.delay = policy.delay(m.Attempt, err, log)
	}
	if m.replyTo == "" && policy.tooOld(age, v.delay) {
		v.reason = ReasonTooOld
		return v
	}
	v.outcome = outcomeRetry
	return v
}

// maxErrorText bounds what of an error is kept with the message.
const maxErrorText = 8 << 10

func errorText(err error) string {
	text := err.Error()
	var p *PanicError
	if errors.As(err, &p) {
		text += "\n\n" + string(p.Stack)
	}
	if len(text) > maxErrorText {
		text = text[:maxErrorText-len("…")] + "…"
	}
	return text
}
