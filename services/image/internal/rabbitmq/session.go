package rabbitmq

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"calotype/services/image/internal/job"
)

const (
	// crowded is for how long all slots must be taken before the consumer stops asking for more, so that what comes goes to others.
	crowded = 50 * time.Millisecond
	// look is how often, about, a consumer looks for messages that were lost before.
	look = 500 * time.Millisecond
)

var (
	errGone      = errors.New("the connection to the broker broke")
	errCancelled = errors.New("the broker ended the subscription")
)

// session is a consumer on one channel. Its fields belong to the goroutine of run.
type session struct {
	c    *consumer
	ch   *amqp.Channel
	side *amqp.Channel // for what is asked and taken one by one
	done chan struct{} // closed when the session is over
	once sync.Once     // closes it

	// The library mixes up the answers to two questions that are asked at once on a channel.
	asks, sideAsks sync.Mutex

	subs     map[job.Class]*subscription
	arrivals chan arrival
	ended    chan job.Class // a subscription is over, and all that came of it has arrived
	moved    chan struct{}  // something was moved to the suspects
	moving   sync.WaitGroup
	looked   chan int            // how many suspects there are
	got      chan *amqp.Delivery // a suspect, or nil
	hungry   chan job.Class      // its queue is empty, and others ask for more

	full     time.Time // since when all slots are taken; zero: they are not
	seen     int       // looks in a row that found suspects
	yielding bool      // nothing new is begun until a suspect had its turn
	asking   bool      // for one
	alone    bool      // one runs
	looking  bool
}

// subscription is one class's.
type subscription struct {
	class  job.Class
	tag    string
	active bool // the broker may send
	ending bool
	asked  bool // whether others are hungry
	waits  []*delivery
}

type arrival struct {
	class job.Class
	amqp.Delivery
}

// session works until the connection breaks, or Consume or the queue ends; began says whether it got as far as asking for messages.
func (c *consumer) session(ctx context.Context) (began bool, err error) {
	if err := c.q.topology.ensure(ctx, c.topic); err != nil {
		return false, err
	}
	conn, err := c.q.consuming.get(ctx)
	if err != nil {
		return false, err
	}
	s := &session{
		c: c, done: make(chan struct{}), subs: map[job.Class]*subscription{}, arrivals: make(chan arrival), ended: make(chan job.Class, 3),
		moved: make(chan struct{}, 1), looked: make(chan int, 1), got: make(chan *amqp.Delivery, 1), hungry: make(chan job.Class, 3),
	}
	if s.ch, err = conn.Channel(); err != nil {
		return false, err
	}
	defer func() { go func() { _ = s.ch.Close() }() }() // which may wait for a broker that hangs
	if s.side, err = conn.Channel(); err != nil {
		return false, err
	}
	defer func() { go func() { _ = s.side.Close() }() }()
	// One more than can run, so that the next of a class is at hand when the turns are taken.
	if err := s.ch.Qos(c.slots+1, 0, false); err != nil {
		return false, err
	}
	for _, class := range classes(c.topic) {
		s.subs[class] = &subscription{class: class}
	}
	defer s.over()
	return true, s.run(ctx)
}

// run is the loop.
func (s *session) run(ctx context.Context) error {
	gone, gone2 := s.ch.NotifyClose(make(chan *amqp.Error, 1)), s.side.NotifyClose(make(chan *amqp.Error, 1))
	cancelled := s.ch.NotifyCancel(make(chan string, 8))
	ticks := time.NewTicker(crowded)
	defer ticks.Stop()
	looks := time.NewTimer(0)
	defer looks.Stop()
	for {
		if err := s.dispatch(); err != nil {
			return err
		}
		select {
		case a := <-s.arrivals:
			s.arrived(a)
		case class := <-s.ended:
			s.subs[class].active, s.subs[class].ending = false, false
		case <-s.c.freed:
		case <-ticks.C:
			s.stopAsking()
		case <-looks.C:
			s.lookForSuspects()
			looks.Reset(look + rand.N(look))
		case <-s.moved:
			looks.Reset(0)
		case n := <-s.looked:
			s.found(n)
		case d := <-s.got:
			s.suspectCame(d)
		case class := <-s.hungry:
			s.share(class)
		case <-cancelled:
			s.c.q.topology.forget()
			return errCancelled
		case e := <-gone:
			return s.broken(e)
		case e := <-gone2:
			return s.broken(e)
		case <-ctx.Done():
			s.leave(gone)
			return nil
		case <-s.c.q.ending:
			s.giveBack(gone)
			return errClosed()
		}
	}
}

func (s *session) broken(e *amqp.Error) error {
	if e == nil {
		return errGone
	}
	if e.Code == amqp.NotFound {
		s.c.q.topology.forget()
	}
	return errors.Join(errGone, e)
}

// over ends what the session's handlers may believe to own: the broker gives it to others.
func (s *session) over() {
	s.end()
	for _, d := range s.c.those(s) {
		d.cancel()
	}
	s.moving.Wait()
	s.hold()
}

// end stops what works for the session in the background.
func (s *session) end() { s.once.Do(func() { close(s.done) }) }

// hold tells Depth how many messages wait here.
func (s *session) hold() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	clear(s.c.held)
	if closed(s.done) {
		return
	}
	for class, sub := range s.subs {
		s.c.held[class] = len(sub.waits)
	}
}

// dispatch begins what there is a slot for, and asks for more where there is room.
func (s *session) dispatch() error {
	if s.asking || s.alone && s.c.occupied() > 0 {
		return nil
	}
	s.alone = false
	defer s.hold()
	free := s.c.slots - s.c.occupied()
	for free > 0 {
		class, any := s.c.turns.next(func(c job.Class) bool { return s.subs[c] != nil && len(s.subs[c].waits) > 0 })
		if !any {
			break
		}
		sub := s.subs[class]
		d := sub.waits[0]
		sub.waits = sub.waits[1:]
		s.c.begin(d)
		free--
	}
	if free > 0 {
		s.full = time.Time{}
	} else if s.full.IsZero() {
		s.full = time.Now()
	}
	if s.yielding {
		s.yield()
		return nil
	}
	if free > 0 {
		return s.ask()
	}
	return nil
}

// ask subscribes to every class of which nothing is at hand.
func (s *session) ask() error {
	for class, sub := range s.subs {
		if sub.active || len(sub.waits) > 0 {
			continue
		}
		sub.tag = "calotype-" + strconv.FormatUint(rand.Uint64(), 36)
		deliveries, err := s.ch.Consume(s.c.q.ready(s.c.topic, class), sub.tag, false, false, false, true, nil)
		if err != nil {
			return err
		}
		sub.active = true
		go s.forward(class, deliveries)
	}
	return nil
}

func (s *session) forward(class job.Class, deliveries <-chan amqp.Delivery) {
	for d := range deliveries {
		select {
		case s.arrivals <- arrival{class, d}:
		case <-s.done:
			return
		}
	}
	select {
	case s.ended <- class:
	case <-s.done:
	}
}

// stop ends a subscription. The broker's answer comes after all that it had sent.
func (s *session) stop(sub *subscription) {
	if !sub.active || sub.ending {
		return
	}
	sub.ending = true
	tag := sub.tag
	go func() {
		s.asks.Lock()
		defer s.asks.Unlock()
		_ = s.ch.Cancel(tag, false) // an error is the channel's end, which is noticed elsewhere
	}()
}

// stopAsking leaves new messages to others, once all slots have been taken for a while. What waits here already goes to others, too, where
// some have nothing to do.
func (s *session) stopAsking() {
	if s.full.IsZero() || time.Since(s.full) < crowded {
		return
	}
	for class, sub := range s.subs {
		s.stop(sub)
		if sub.active || sub.asked || len(sub.waits) == 0 {
			continue
		}
		sub.asked = true
		go func() {
			s.sideAsks.Lock()
			found, err := s.side.QueueDeclarePassive(s.c.q.ready(s.c.topic, class), true, false, false, false, nil)
			s.sideAsks.Unlock()
			if err == nil && (found.Messages > 0 || found.Consumers == 0) {
				class = ""
			}
			select {
			case s.hungry <- class:
			case <-s.done:
			}
		}()
	}
}

// share gives up what waits here of a class.
func (s *session) share(class job.Class) {
	for _, sub := range s.subs {
		sub.asked = false
	}
	sub := s.subs[class]
	if sub == nil || sub.active || s.full.IsZero() {
		return
	}
	for _, d := range sub.waits {
		s.move(d, s.again(d.Message, d.counts, 0), false)
	}
	sub.waits = nil
	s.hold()
}

// arrived keeps a message for its turn. One that was lost before goes to the suspects.
func (s *session) arrived(a arrival) {
	d := s.take(a.Delivery)
	switch {
	case limited(s.c.topic) && d.counts.lost > 0:
		s.c.q.counts.lost.Add(1)
		s.move(d, s.suspect(d.Message, d.counts), true)
	case time.Until(d.counts.due) > unit:
		s.move(d, s.again(d.Message, d.counts, time.Until(d.counts.due)), false)
	default:
		s.subs[a.class].waits = append(s.subs[a.class].waits, d)
	}
}

// move brings a message into another queue, in the background.
func (s *session) move(d *delivery, e envelope, tell bool) {
	ctx, cancel := context.WithCancel(s.c.ctx)
	finished := make(chan struct{})
	go func() {
		select {
		case <-s.done:
		case <-finished:
		}
		cancel()
	}()
	s.moving.Go(func() {
		defer close(finished)
		d.move(ctx, e)
		if tell {
			select {
			case s.moved <- struct{}{}:
			default:
			}
		}
	})
}
