output "queue_arns" {
  description = "ARNs of the source queues, by their names without prefix."
  value       = { for name, queue in aws_sqs_queue.source : name => queue.arn }
}

output "queue_urls" {
  description = "URLs of the source queues, by their names without prefix."
  value       = { for name, queue in aws_sqs_queue.source : name => queue.url }
}

output "dead_letter_queue_arns" {
  description = "ARNs of the dead-letter queues, by the names of their source queues without prefix."
  value       = { for name, queue in aws_sqs_queue.dead_letters : name => queue.arn }
}

output "dead_letter_queue_urls" {
  description = "URLs of the dead-letter queues, by the names of their source queues without prefix."
  value       = { for name, queue in aws_sqs_queue.dead_letters : name => queue.url }
}
