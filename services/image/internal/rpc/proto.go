package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

var states = map[job.State]imagev1.Job_State{
	job.Scheduled: imagev1.Job_SCHEDULED, job.Queued: imagev1.Job_QUEUED, job.Running: imagev1.Job_RUNNING, job.Succeeded: imagev1.Job_SUCCEEDED,
	job.Failed: imagev1.Job_FAILED, job.Cancelled: imagev1.Job_CANCELLED, job.Dead: imagev1.Job_DEAD,
}

func stateFromProto(p imagev1.Job_State) (job.State, bool) {
	for s, q := range states {
		if p == q {
			return s, true
		}
	}
	return "", false
}

func fillImage(p *imagev1.Image, im job.Image) {
	p.Id = string(im.ID)
	p.Digest = string(im.Digest)
	p.Size = im.Size
	p.Format = im.Format
	p.ContentType = im.ContentType
	p.Width, p.Height = int32(im.Width), int32(im.Height)
	p.Pages = int32(im.Pages)
	p.HasAlpha = im.HasAlpha
	p.Filename = im.Filename
	p.CreateTime = timestamppb.New(im.Created)
	p.Orientation = int32(im.Orientation)
	p.ExpireTime = timeToProto(im.Expires)
}

func fillJob(p *imagev1.Job, j job.Job) {
	p.Id = string(j.ID)
	p.ImageId = string(j.ImageID)
	p.State = states[j.State]
	p.Recipe = RecipeToProto(j.Recipe)
	p.Preset = j.Preset
	p.Attempts = int32(j.Attempts)
	for _, r := range j.Results {
		one := new(imagev1.Result)
		fillResult(one, r)
		p.Results = append(p.Results, one)
	}
	p.Failure = failureToProto(j.Failure)
	p.Node = j.Node
	p.CreateTime = timestamppb.New(j.Created)
	p.StartTime, p.EndTime, p.ExpireTime = timeToProto(j.Started), timeToProto(j.Ended), timeToProto(j.Expires)
	p.Progress = progressToProto(j.State, j.Progress)
	p.Options, p.BatchId = wishesToProto(j.Wishes), string(j.BatchID)
}

// progressToProto leaves out the progress of what does not run, but for the end of it.
func progressToProto(s job.State, g job.Progress) *imagev1.Progress {
	switch s {
	case job.Running:
		return &imagev1.Progress{Phase: g.Phase, Percent: int32(g.Percent)}
	case job.Succeeded:
		return &imagev1.Progress{Percent: 100}
	}
	return nil
}

func fillResult(p *imagev1.Result, r job.Result) {
	p.Name, p.Key, p.Digest, p.Size = r.Name, r.Key, string(r.Digest), r.Size
	p.Format, p.ContentType = r.Format, r.ContentType
	p.Width, p.Height, p.Pages = int32(r.Width), int32(r.Height), int32(r.Pages)
}

func eventToProto(e job.Event) *imagev1.JobEvent {
	return &imagev1.JobEvent{
		Sequence: e.Sequence, Time: timestamppb.New(e.Time), State: states[e.State], Attempt: int32(e.Attempt), Node: e.Node,
		Failure: failureToProto(e.Failure), JobId: string(e.Job), Progress: progressToProto(e.State, e.Progress),
	}
}

func failureToProto(f *job.Failure) *imagev1.Failure {
	if f == nil {
		return nil
	}
	return &imagev1.Failure{Reason: f.Reason, Message: f.Message, Variant: f.Variant}
}

// timeToProto leaves out what has not happened.
func timeToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
