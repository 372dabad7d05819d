package webhook

import "time"

// TendEvery is how often a service looks after itself while tests run.
const TendEvery = 2 * time.Second

func init() { tendEvery = TendEvery }
