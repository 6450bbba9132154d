package schedule

import "container/heap"

// queue is a heap of what knows its place in it.
type queue[T any] struct {
	all  []T
	less func(a, b T) bool
	at   func(T) *int // its index and one
}

func (q *queue[T]) first() (x T) {
	if len(q.all) > 0 {
		x = q.all[0]
	}
	return x
}

func (q *queue[T]) add(x T) { heap.Push(q, x) }

func (q *queue[T]) remove(x T) {
	if at := *q.at(x); at > 0 {
		heap.Remove(q, at-1)
	}
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (q *queue[T]) Len() int           { return len(q.all) }
func (q *queue[T]) Less(i, j int) bool { return q.less(q.all[i], q.all[j]) }

func (q *queue[T]) Swap(i, j int) {
	q.all[i], q.all[j] = q.all[j], q.all[i]
	*q.at(q.all[i]), *q.at(q.all[j]) = i+1, j+1
}

func (q *queue[T]) Push(x any) {
	added, _ := x.(T)
	q.all = append(q.all, added)
	*q.at(added) = len(q.all)
}

func (q *queue[T]) Pop() any {
	var none T
	last := len(q.all) - 1
	x := q.all[last]
	q.all[last] = none
	q.all = q.all[:last]
	*q.at(x) = 0
	return x
}
