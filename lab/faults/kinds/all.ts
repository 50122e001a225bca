import type { Fault } from './fault.ts'
import { machineFaults } from './machines.ts'
import { networkFaults } from './network.ts'
import { operatorFaults } from './operators.ts'
import { processFaults } from './processes.ts'

/** Every fault that can be done. @param clocks whether servers' clocks can be set here */
export function allFaults(clocks: boolean): readonly Fault[] {
  return [...processFaults, ...networkFaults, ...machineFaults(clocks), ...operatorFaults]
}
