package leanmq

import (
	"crypto/rand"
	"fmt"
	"time"
)

// newSendToken names a message that needs a name before it has an entry. Of
// messages that are due at the same moment, the one with the smaller name is
// delivered first: so it begins with the time, and one process's come in the order
// of their sends.
func newSendToken() string {
	return fmt.Sprintf("%016x%s", time.Now().UnixNano(), rand.Text()[:10])
}
