package leanmq

import "slices"

// Middleware wraps a handler, to do something before and after it or instead of
// it. It is called once for each Consume, not for each message; the handler that
// it returns is called for each, concurrently.
//
// What the outermost handler returns is the verdict on the message: middleware may
// turn an error into another one, into nil (done), or into a [Reject].
//
// A middleware that cannot work with its settings panics with an [*InvalidError]
// when it is called; the call that composes it returns that as its error.
type Middleware func(Handler) Handler

// Use adds middleware around the handler of one Consume. The first one listed is
// the outermost. Several Use add up, the first one outermost. A Puller has no
// handler and uses none.
//
// A nil middleware, or one that returns nil, is an [InvalidError].
func Use(mws ...Middleware) ConsumeOption {
	return func(c *consumeConfig) { c.mws = append(c.mws, mws...) }
}

// UseAll adds middleware around every handler that the client runs, outside of
// what Use adds. The first one listed is the outermost. Several UseAll add up.
func UseAll(mws ...Middleware) Option {
	return func(c *clientConfig) { c.mws = append(c.mws, mws...) }
}

// compose puts middleware around h. field is the option that named it.
func compose(field string, h Handler, mws []Middleware) (_ Handler, err error) {
	defer refusal(&err)
	for i, mw := range slices.Backward(mws) {
		if h = mw(h); h == nil {
			return nil, invalid(field, "middleware %d returns a nil handler", i)
		}
	}
	return h, nil
}

// composeAll puts the middleware of one Consume around h, and that of the client
// around both.
func (c *Client) composeAll(h Handler, cfg *consumeConfig) (Handler, error) {
	h, err := compose("Use", h, cfg.mws)
	if err != nil {
		return nil, err
	}
	return compose("UseAll", h, c.mws)
}

// noneNil checks middleware when it is set.
func noneNil(field string, n int, isNil func(i int) bool) error {
	for i := range n {
		if isNil(i) {
			return invalid(field, "middleware %d is nil", i)
		}
	}
	return nil
}

func checkMiddleware(field string, mws []Middleware) error {
	return noneNil(field, len(mws), func(i int) bool { return mws[i] == nil })
}

// refusal is deferred around middleware that is being composed. It takes the panic
// with which one refuses its settings.
func refusal(err *error) {
	switch v := recover().(type) {
	case nil:
	case *InvalidError:
		*err = v
	default:
		panic(v)
	}
}
