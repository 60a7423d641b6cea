package trace

import "strconv"

// Key is the name of an attribute.
type Key string

// The names of all attributes: OpenTelemetry's semantic conventions 1.37 where they have
// one (https://opentelemetry.io/docs/specs/semconv/), belfry.* otherwise.
const (
	KeyMethod     Key = "http.request.method"
	KeyRoute      Key = "http.route" // as in the API's document: never the path, which may name a user
	KeyStatus     Key = "http.response.status_code"
	KeyServer     Key = "server.address"
	KeyErrorType  Key = "error.type"
	KeySystem     Key = "messaging.system"
	KeyOperation  Key = "messaging.operation.type" // send or process
	KeyOperates   Key = "messaging.operation.name"
	KeyQueue      Key = "messaging.destination.name"
	KeyMessageID  Key = "messaging.message.id"
	KeyBatchCount Key = "messaging.batch.message_count"

	KeyNotification Key = "belfry.notification"
	KeyTenant       Key = "belfry.tenant"
	KeyTask         Key = "belfry.task"       // what fanout is asked to do
	KeyChunk        Key = "belfry.chunk"      // its sequence
	KeyRecipients   Key = "belfry.recipients" // how many
	KeyAttempt      Key = "belfry.attempt"    // from 1
	KeyRow          Key = "belfry.row"        // of a chunk: its recipient's place, from 0, as belfry explain has it
	KeyTurn         Key = "belfry.turn"       // of a chunk: how often it was handed back
	KeyCode         Key = "belfry.code"       // of the taxonomy of outcomes
	KeyRequests     Key = "belfry.requests"   // to FCM, of which a few are told
	KeyReceives     Key = "belfry.receives"   // how often the message was received
	KeyDwell        Key = "belfry.dwell_ms"   // from sending to receiving
	KeyReplay       Key = "belfry.replay"
	KeyEvent        Key = "belfry.event"   // the type of an event that goes out
	KeyVerdict      Key = "belfry.verdict" // how the work on a message ended
	KeyLetters      Key = "belfry.dead_letters"
)

// The values of messaging.*.
const (
	SystemName = "belfry"
	OpSend     = "send"
	OpCreate   = "create"
	OpProcess  = "process"
)

// Process is what a span says of a message that is worked on.
func Process(queue string) []Attr { return messaging(OpProcess, queue) }

// Create is what a span says of a message that begins a trace of its own.
func Create(queue string) []Attr { return messaging(OpCreate, queue) }

// Send is what a span says of a message that goes out.
func Send(destination string) []Attr { return messaging(OpSend, destination) }

func messaging(op, destination string) []Attr {
	return []Attr{Text(KeySystem, SystemName), Text(KeyOperation, op), Text(KeyOperates, op), Text(KeyQueue, destination)}
}

// OfChunk is the id of the trace in which a chunk of a batch is sent: it follows from the
// batch, so that whoever asks for a delivery can tell it.
func OfChunk(batch string, seq int) [16]byte { return ID("chunk", batch, strconv.Itoa(seq)) }

// OfReplay is the id of the trace in which a replay sends a chunk again.
func OfReplay(replay, notification string, seq int) [16]byte {
	return ID("replay", replay, notification, strconv.Itoa(seq))
}
