package measure

import (
	"math"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// Heap watches how large this process's heap becomes, garbage that was not
// collected yet included.
type Heap struct {
	// Peak ends the watch and returns by how many bytes the heap has grown at most.
	Peak func() float64
}

// WatchHeap begins with a collected heap.
func WatchHeap() Heap {
	runtime.GC()
	before := heapBytes()
	over, peak := make(chan struct{}), make(chan float64)
	go func() {
		most := before
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			most = math.Max(most, heapBytes())
			select {
			case <-tick.C:
			case <-over:
				peak <- most - before
				return
			}
		}
	}()
	return Heap{sync.OnceValue(func() float64 {
		close(over)
		return <-peak
	})}
}

func heapBytes() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64())
}

// LiveBytes is what this process needs for its heap and its goroutines' stacks, once
// garbage is gone.
func LiveBytes() float64 {
	runtime.GC()
	runtime.GC() // what pools kept through the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
