# The two topics: other services publish push.notification.requested.v1 to events, which the events queue subscribes, and
# Belfry publishes what became of it to outcomes.

resource "aws_sns_topic" "events" {
  name              = "${var.prefix}-events"
  kms_master_key_id = var.kms_key_id
  tags              = var.tags
}

resource "aws_sns_topic" "outcomes" {
  name              = "${var.prefix}-outcomes"
  kms_master_key_id = var.kms_key_id
  tags              = var.tags
}

# Raw: the queue gets what was published. Publish CloudEvents in structured mode, without message attributes: a raw
# subscription cannot deliver a message with more than ten of them. What SNS cannot deliver, for this reason or because the
# queue is gone or lets nobody in, goes to the dead-letter queue; without one SNS drops it and says nothing.
resource "aws_sns_topic_subscription" "events" {
  topic_arn            = aws_sns_topic.events.arn
  protocol             = "sqs"
  endpoint             = var.events_queue_arn
  raw_message_delivery = true
  redrive_policy       = jsonencode({ deadLetterTargetArn = var.events_dead_letter_queue_arn })
}

# Both queues let the topic in, and nothing else that SNS does for others.
resource "aws_sqs_queue_policy" "events" {
  queue_url = var.events_queue_url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BelfryEventsTopic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.events_queue_arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.events.arn } }
    }]
  })
}

resource "aws_sqs_queue_policy" "events_dead_letters" {
  queue_url = var.events_dead_letter_queue_url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "BelfryEventsTopic"
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.events_dead_letter_queue_arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.events.arn } }
    }]
  })
}
