# The pop was perhaps sent before the crash: its end is told.
> offer incoming c1 u1 doubt
> offer ended c1 u1 doubt
superseded c1/1/N1 incoming: the call was over first
> next
send c1/2/N1 ended
> result c1/2/N1 deliver
delivered c1/2/N1 ended

# Likewise if it waited when the state was saved.
> offer incoming c2 u1
> restart
> doubt
> offer ended c2 u1
superseded c2/1/N1 incoming: the call was over first
> next
send c2/2/N1 ended
> result c2/2/N1 deliver
delivered c2/2/N1 ended

# Behind an end that is still to come nothing was sent.
> offer incoming c3 u1 doubt
> offer ended c3 u1 doubt
superseded c3/1/N1 incoming: the call was over first
> offer incoming c3 u1 doubt
> offer ended c3 u1 doubt
superseded c3/3/N1 incoming: the call was over first
> next
send c3/2/N1 ended
> result c3/2/N1 deliver
delivered c3/2/N1 ended
> next
superseded c3/4/N1 ended: the incoming call was never shown

# Who took the call before anything was read may have it on the screen.
> offer answered c4 by=u3 u1
> offer ended c4 by=u3 u1
superseded c4/1/N1 answered: the call was over first
> next
send c4/2/N1 ended
> result c4/2/N1 deliver
delivered c4/2/N1 ended
