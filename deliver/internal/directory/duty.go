package directory

import "sync"

// duty is whether this replica is the one that delivers.
type duty struct {
	mu     sync.Mutex
	on     bool
	turned chan struct{} // closed when it is another
}

func (d *duty) set(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.on == on {
		return
	}
	d.on = on
	close(d.turned)
	d.turned = make(chan struct{})
}

func (d *duty) state() (on bool, turned <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.on, d.turned
}
