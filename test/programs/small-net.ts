/** A model that tests save in one process and load in another. */
import { nn } from 'fovea'
import { defineModel } from 'fovea/formats'

export const smallNet = defineModel('small-net', ({ width, classes }: { width: number; classes: number }) => {
  return new nn.Sequential(
    new nn.Conv2d(1, width, 3, { padding: 1 }), // [N, width, 8, 8]
    new nn.BatchNorm2d(width),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Dropout(0.5),
    new nn.Linear(width * 64, classes),
  )
})
