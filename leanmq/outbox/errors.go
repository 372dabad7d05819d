package outbox

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoTable means that the outbox's table is not there, or not this version's. Call
// [Box.Create], or run what [Box.Schema] returns.
var ErrNoTable = errors.New("the outbox's table is missing or out of date: call Box.Create, or run the SQL of Box.Schema")

// Error says where something failed.
type Error struct {
	Op    string // what was being done, such as "send"
	Table string // the outbox's table
	Row   string // the row's id, if there is one
	Err   error  // what failed, never nil
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "outbox: %s %s", e.Op, e.Table)
	if e.Row != "" {
		fmt.Fprintf(&b, " row %s", e.Row)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns what failed.
func (e *Error) Unwrap() error { return e.Err }

func (b *Box) wrap(op, row string, err error) error {
	if err == nil {
		return nil
	}
	if isNoTable(err) {
		err = fmt.Errorf("%w: %w", ErrNoTable, err)
	}
	return &Error{Op: op, Table: b.table.String(), Row: row, Err: err}
}
