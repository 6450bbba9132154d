# Three of five requests of the only customer hang: nobody else wants the other two slots.
> offer incoming c1 u1
> offer incoming c2 u3
> offer incoming c3 u4
> next
send c1/1/N1 incoming
send c2/1/N2 incoming
send c3/1/N3 incoming
> at 3s
> offer incoming c4 u1
> next
send c4/1/N1 incoming
# One that Reapit may still be at takes its slot, and no other.
> result c1/1/N1 retry wait=20s slot=27s
> result c2/1/N2 retry wait=20s slot=27s
> result c3/1/N3 retry wait=20s slot=27s
> at 4s
> offer incoming c5 u3
> next
send c5/1/N2 incoming
due at 23s
