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

# Raw: the queue gets what was published. Publish CloudEvents in structured mode, without message attributes: SNS drops a
# message with more than ten of them on a raw subscription, and says nothing.
resource "aws_sns_topic_subscription" "events" {
  topic_arn            = aws_sns_topic.events.arn
  protocol             = "sqs"
  endpoint             = var.events_queue_arn
  raw_message_delivery = true
}

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
