import { join } from 'node:path'
import { Machine } from './machine.ts'
import { LabNetwork } from './netns.ts'

/** The page's machines: three telemetry servers, the one that replaces one of them, and a switch. */
export const PAGE = [
  { name: 'ts01', address: '10.0.0.5' },
  { name: 'ts02', address: '10.0.0.6' },
  { name: 'ts03', address: '10.0.0.7' },
  { name: 'ts04', address: '10.0.0.8' },
  { name: 'switch', address: '10.0.0.20' },
] as const

/** A host of the same network that is no machine: what runs there is started from outside. */
const OUTSIDE = { name: 'outside', address: '10.0.0.30' } as const

/** Machines on one network, which nobody else is on. */
export class MachineSet {
  readonly machines: readonly Machine[]
  private readonly network: LabNetwork

  /**
   * @param prefix see LabNetwork
   * @param folder where their disks are
   * @param base see baseImage
   */
  constructor(
    prefix: string,
    folder: string,
    base: string,
    hosts: readonly { readonly name: string; readonly address: string }[] = PAGE,
  ) {
    this.network = new LabNetwork(prefix, [...hosts, OUTSIDE])
    this.machines = hosts.map(
      ({ name, address }) =>
        new Machine({
          ...{ name, address, base, hosts },
          network: this.network.pathOf(address),
          folder: join(folder, name),
        }),
    )
  }

  /** Makes the network and the disks. Needs root. */
  create(): void {
    this.network.create()
    for (const machine of this.machines) machine.create()
  }

  named(name: string): Machine {
    const machine = this.machines.find((one) => one.name === name)
    if (!machine) throw new Error(`there is no machine ${name}`)
    return machine
  }

  /** What to put before a command to run it beside the machines, on their network. */
  get outside(): string[] {
    return this.network.inside(OUTSIDE.address)
  }

  remove(): void {
    for (const machine of this.machines) machine.remove()
    this.network.remove()
  }
}
