package outbox

import "time"

// Steps of a batch, in their order.
var Steps = []string{"read", "sent", "settled", "committed"}

// OnStep has f called after each step of every batch of every relay; when it returns
// an error, the batch ends there. Before relays are started.
func OnStep(f func(step string) error) { step = f }

// NoStep is the function that is there without OnStep.
func NoStep(string) error { return nil }

// SetIdleLimit sets for how long PostgreSQL lets a relay be silent. Before relays are
// started.
func SetIdleLimit(d time.Duration) { idleLimit = d }
