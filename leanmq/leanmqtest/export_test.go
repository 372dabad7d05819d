package leanmqtest

// SetMost makes a Drain handle no more than n messages.
func (e *Env) SetMost(n int) { e.most = n }
