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

// look is how often, about, a consumer looks for messages that were lost before.
const look = 500 * time.Millisecond

var (
	errGone      = errors.New("the connection to the broker broke")
	errCancelled = errors.New("the broker ended the subscription")
)

// session is a consumer on one connection. Its fields belong to the goroutine of run.
type session struct {
	c    *consumer
	conn *conn
	side *amqp.Channel // for what is asked and taken one by one
	done chan struct{} // closed when the session is over
	once sync.Once     // closes it

	sideAsks sync.Mutex // the library mixes up the answers to questions that are asked at once on a channel

	subs      map[job.Class]*subscription
	arrivals  chan arrival
	ended     chan job.Class // a subscription is over, and all that came of it has arrived
	moves     int            // messages on their way to another queue
	moved     chan struct{}  // one of them is there
	suspected chan struct{}  // something was moved to the suspects
	moving    sync.WaitGroup
	looked    chan int            // how many suspects there are
	got       chan *amqp.Delivery // a suspect, or nil
	hungry    chan job.Class      // its queue is empty, and others ask for more
	broke     chan *amqp.Error    // a channel
	cancelled chan string

	full     time.Time // since when all slots are taken; zero: they are not
	seen     int       // looks in a row that found suspects
	yielding bool      // nothing new is begun until a suspect had its turn
	calm     time.Time // when something came or went last
	asking   bool      // for one
	alone    bool      // one runs
	looking  bool
}

// subscription is one class's.
type subscription struct {
	class  job.Class
	ch     *amqp.Channel
	acks   *acks
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
		c: c, conn: conn, done: make(chan struct{}), subs: map[job.Class]*subscription{}, arrivals: make(chan arrival), ended: make(chan job.Class, 3),
		moved: make(chan struct{}), suspected: make(chan struct{}, 1), looked: make(chan int, 1), got: make(chan *amqp.Delivery, 1),
		hungry: make(chan job.Class, 3), broke: make(chan *amqp.Error, 8), cancelled: make(chan string, 8),
	}
	if s.side, err = s.channel(); err != nil {
		return false, err
	}
	for _, class := range classes(c.topic) {
		s.subs[class] = &subscription{class: class}
	}
	defer s.over()
	return true, s.run(ctx)
}

// channel opens a channel whose end is noticed.
func (s *session) channel() (*amqp.Channel, error) {
	ch, err := s.conn.Channel()
	if err != nil {
		return nil, err
	}
	gone, cancelled := ch.NotifyClose(make(chan *amqp.Error, 1)), ch.NotifyCancel(make(chan string, 1))
	go func() {
		for gone != nil {
			select {
			case tag, open := <-cancelled:
				if !open {
					cancelled = nil
					continue
				}
				select {
				case s.cancelled <- tag:
				default:
				}
			case e := <-gone: // nothing when it was closed here
				if gone = nil; e != nil || s.conn.IsClosed() {
					select {
					case s.broke <- e:
					default:
					}
				}
			}
		}
	}()
	return ch, nil
}

// run is the loop.
func (s *session) run(ctx context.Context) error {
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
			s.subs[class].active = false
		case <-s.c.freed:
		case <-ticks.C:
			s.passOn()
		case <-looks.C:
			s.lookForSuspects()
			looks.Reset(look + rand.N(look))
		case <-s.moved:
			s.moves--
		case <-s.suspected:
			looks.Reset(0)
		case n := <-s.looked:
			s.found(n)
		case d := <-s.got:
			s.suspectCame(d)
		case class := <-s.hungry:
			s.share(class)
		case <-s.cancelled:
			s.c.q.topology.forget()
			return errCancelled
		case e := <-s.broke:
			return s.broken(e)
		case <-ctx.Done():
			s.leave()
			return nil
		case <-s.c.q.ending:
			s.giveBack()
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
	for _, ch := range s.channels() {
		go func() { _ = ch.Close() }() // which may wait for a broker that hangs
	}
}

func (s *session) channels() []*amqp.Channel {
	all := []*amqp.Channel{s.side}
	for _, sub := range s.subs {
		if sub.ch != nil {
			all = append(all, sub.ch)
		}
	}
	return all
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
	if s.yielding {
		s.yield()
		return nil
	}
	free := s.c.slots - s.c.occupied()
	for free > 0 {
		class, any := s.c.turns.Next(func(c job.Class) bool { return s.subs[c] != nil && len(s.subs[c].waits) > 0 })
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
	return s.ask()
}

// ask subscribes to every class. Each subscription has a channel of its own: see stop. It may have one message more than there are slots,
// so that the next of a class is at hand when the turns are taken.
func (s *session) ask() (err error) {
	for class, sub := range s.subs {
		if sub.ch != nil {
			continue
		}
		if sub.ch, err = s.channel(); err != nil {
			return err
		}
		sub.acks = newAcks(sub.ch)
		if err := sub.ch.Qos(s.c.slots+1, 0, false); err != nil {
			return err
		}
		sub.tag = "calotype-" + strconv.FormatUint(rand.Uint64(), 36)
		deliveries, err := sub.ch.Consume(s.c.q.ready(s.c.topic, class), sub.tag, false, false, false, true, nil)
		if err != nil {
			return err
		}
		sub.active, sub.ending, sub.asked = true, false, false
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

// stop ends a subscription, whose channel must be closed when what came of it is settled: a message that a quorum queue sends while it is
// told to stop may come after the answer, and the library drops it.
func (s *session) stop(sub *subscription) {
	if !sub.active || sub.ending {
		return
	}
	sub.ending = true
	ch, tag := sub.ch, sub.tag
	go func() { _ = ch.Cancel(tag, false) }() // an error is the channel's end, which is noticed elsewhere
}

// arrived keeps messages for their turns. One that was lost before goes to the suspects.
func (s *session) arrived(a arrival) {
	s.calm = time.Now()
	for _, d := range s.takeApart(a) {
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
}

// move brings a message into another queue, in the background. suspected says that it goes to the suspects.
func (s *session) move(d *delivery, e envelope, suspected bool) {
	ctx, cancel := context.WithCancel(s.c.ctx)
	finished := make(chan struct{})
	go func() {
		select {
		case <-s.done:
		case <-finished:
		}
		cancel()
	}()
	s.moves++
	s.moving.Go(func() {
		d.move(ctx, e)
		close(finished)
		if suspected {
			signal(s.suspected)
		}
		select {
		case s.moved <- struct{}{}:
		case <-s.done:
		}
	})
}
