package leanmq

import (
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// extra is what only some messages carry: it keeps the others small.
type extra struct {
	policy     string // see formatPolicy
	history    string // see remember in lib.lua
	orderKey   string
	uniqueKey  string
	keepResult time.Duration
	result     []byte
	resultMark string // how the result is sealed
}

// newExtra returns nil for a message that carries nothing of that.
func newExtra(e *store.Entry) *extra {
	if e.Policy == "" && e.History == "" && e.OrderKey == "" && e.UniqueKey == "" && e.KeepResult == 0 {
		return nil
	}
	return &extra{
		policy: e.Policy, history: e.History, orderKey: e.OrderKey, uniqueKey: e.UniqueKey,
		keepResult: time.Duration(e.KeepResult) * time.Millisecond,
	}
}

func (x *extra) ownPolicy() string {
	if x == nil {
		return ""
	}
	return x.policy
}

// ends reports whether more than an entry ends with the message.
func (x *extra) ends() bool {
	return x != nil && (x.orderKey != "" || x.uniqueKey != "" || x.keepResult > 0)
}
