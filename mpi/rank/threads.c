#include "mpi/rank/threads.h"

#include <stdio.h>

#include "base/error.h"

void ncc_batch_queue_init(ncc_batch_queue *queue) {
  queue->first = NULL;
  queue->last = &queue->first;
}

void ncc_batch_queue_put(ncc_batch_queue *queue, ncc_batch_task *task) {
  task->next = NULL;
  *queue->last = task;
  queue->last = &task->next;
}

ncc_batch_task *ncc_batch_queue_take(ncc_batch_queue *queue) {
  ncc_batch_task *task = queue->first;
  if (!task) return NULL;
  queue->first = task->next;
  if (!queue->first) queue->last = &queue->first;
  return task;
}

ncc_batch_task *ncc_batch_queue_wait(ncc_pipeline *pipeline, ncc_batch_queue *queue, pthread_cond_t *filled) {
  while (!queue->first && !pipeline->ending) pthread_cond_wait(filled, &pipeline->mutex);
  return ncc_batch_queue_take(queue);
}

void ncc_batch_task_fail(ncc_batch_task *task, ncc_status status) {
  task->done.status = status;
  snprintf(task->done.message, sizeof task->done.message, "%.*s", NCC_MESSAGE_TEXT - 1, ncc_error_message());
}
