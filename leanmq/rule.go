package leanmq

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/rs/zerolog"
)

// RejectOn dead-letters a message at once when its handler fails with one of
// these errors, as [Reject] does.
//
// This and the other rules about errors ([DropOn], [RetryAfterOn], [OnError]) are
// asked in the order given, with errors.Is, and the first one that knows the error
// decides; the retry policy is for what is left. A Reject or RetryAfter of the
// handler itself wins over all of them. A request's caller is answered all the same.
func RejectOn(errs ...error) ConsumeOption { return ruleOption("RejectOn", 0, errs, Reject) }

// DropOn settles a message as done when its handler fails with one of these
// errors. See [RejectOn] for the order of rules.
func DropOn(errs ...error) ConsumeOption {
	return ruleOption("DropOn", 0, errs, func(error) error { return nil })
}

// RetryAfterOn retries a message after d, 0 to a year, when its handler fails with
// one of these errors, as [RetryAfter] does. See [RejectOn] for the order of rules.
func RetryAfterOn(d time.Duration, errs ...error) ConsumeOption {
	return ruleOption("RetryAfterOn", d, errs, func(err error) error { return RetryAfter(d, err) })
}

// OnError translates errors of handlers: into a [Reject] or [RetryAfter], into nil,
// which settles the message as done, or into another error for the rules after it
// and the retry policy. See [RejectOn] for the order of rules. When it panics, that
// is logged and the error stays as it was. It is called by many workers at once.
func OnError(f func(error) error) ConsumeOption {
	return func(c *consumeConfig) { c.rules = append(c.rules, rule{name: "OnError", all: true, becomes: f}) }
}

// rule translates errors: all of them, or those it names.
type rule struct {
	name    string
	delay   time.Duration
	errs    []error
	all     bool
	becomes func(error) error
}

func ruleOption(name string, delay time.Duration, errs []error, becomes func(error) error) ConsumeOption {
	r := rule{name: name, delay: delay, errs: append(make([]error, 0, len(errs)), errs...), becomes: becomes}
	return func(c *consumeConfig) { c.rules = append(c.rules, r) }
}

// knows reports whether the rule is about err.
func (r *rule) knows(err error) bool {
	for _, e := range r.errs {
		if errors.Is(err, e) {
			return true
		}
	}
	return r.all
}

// apply returns what becomes of err, which is err itself after a panic.
func (r *rule) apply(err error, log *zerolog.Logger) (out error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error().Str("panic", fmt.Sprint(v)).AnErr("error", err).Msgf("%s panicked: the error stays as it was", r.name)
			out = err
		}
	}()
	return r.becomes(err)
}

type rules []rule

// judge translates the error of a handler.
func (rs rules) judge(err error, log *zerolog.Logger) error {
	for i := range rs {
		if err == nil || HasVerdict(err) {
			break
		}
		if rs[i].knows(err) {
			err = rs[i].apply(err, log)
		}
	}
	return err
}

// maxRetryAfterOn is that of backoffs, too.
const maxRetryAfterOn = 8760 * time.Hour

// check finds what cannot be meant.
func (rs rules) check() error {
	for i := range rs {
		r := &rs[i]
		switch {
		case r.becomes == nil:
			return invalid(r.name, "has no function")
		case r.delay < 0 || r.delay > maxRetryAfterOn:
			return invalid(r.name, "has a delay of %v: want 0 to %v", r.delay, maxRetryAfterOn)
		}
		for _, err := range r.errs {
			if err == nil {
				return invalid(r.name, "has a nil error")
			}
			for j := range rs[:i] {
				if rs[j].contradicts(r, err) {
					return invalid(r.name, "and %s contradict each other: both name %q", rs[j].name, err.Error())
				}
			}
		}
	}
	return nil
}

// contradicts reports whether an earlier rule says something else about err.
func (r *rule) contradicts(other *rule, err error) bool {
	if r.name == other.name && r.delay == other.delay {
		return false
	}
	for _, e := range r.errs {
		if same(e, err) {
			return true
		}
	}
	return false
}

// same is a == b for errors that may not be comparable.
func same(a, b error) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b //nolint:errorlint // the very same
}
